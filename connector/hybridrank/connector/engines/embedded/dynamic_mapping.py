"""Field types that a server's dynamic mapping would give documents, for the embedded engine. Pure.

The first value of a field decides: strings become keywords, numbers doubles, and objects one flat field or, if the
index was created so, separate fields. A later document with a value of another type is refused, as by a server.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hybridrank.connector.engines.embedded.analysis import analyzer_names
from hybridrank.connector.mapping.field_types import METADATA, FieldType
from hybridrank.connector.mapping.filter_values import as_number
from hybridrank.index_templates import IndexDefinition
from hybridrank.index_templates.sparse import SPARSE

__all__ = ["declared", "filter_types", "learned", "new_fields"]

_IGNORE_ABOVE = {"keyword": 1024, "flat_object": 8191}


def declared(definition: IndexDefinition) -> dict[str, str]:
    """Returns path → type for the fields that the definition itself names."""
    vectors = {"vector": "knn_vector"} | ({SPARSE: "sparse_vector"} if definition.sparse else {})
    return dict.fromkeys(analyzer_names(definition), "text") | vectors


def new_fields(definition: IndexDefinition, known: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, str]:
    """Returns path → type for the unknown fields of a document.

    Raises ValueError with the field whose value does not have the known type.
    """
    found: dict[str, str] = {}
    for path, value in _leaves("", source, flat=definition.objects == "flat"):
        type_ = _type_of(value, flat=definition.objects == "flat")
        wanted = known.get(path) or found.setdefault(path, type_)
        if not _fits(value, type_, wanted):
            raise ValueError(f"field {path!r} is of type {wanted} in this index, and this value is of type {type_}")
    return found


def learned(definition: IndexDefinition, sources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Returns path → type for documents that are already stored; if they disagree, the first decides."""
    known = declared(definition)
    for source in sources:
        for path, value in _leaves("", source, flat=definition.objects == "flat"):
            known.setdefault(path, _type_of(value, flat=definition.objects == "flat"))
    return known


def filter_types(index: str, types: Mapping[str, str]) -> dict[str, dict[FieldType, str]]:
    """Returns the types in the form that filter fitting needs."""
    fields = {path: FieldType(name, _IGNORE_ABOVE.get(name, 0)) for path, name in types.items()}
    return {path: {type_: index} for path, type_ in ({"_id": METADATA["_id"]} | fields).items()}


def _leaves(prefix: str, value: Any, *, flat: bool) -> Iterator[tuple[str, Any]]:
    """Yields path and value of everything that decides a type: scalars, and objects (flat ones are not opened)."""
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(prefix, each, flat=flat)
    elif isinstance(value, Mapping):
        if prefix:
            yield prefix, value
        if not (flat and prefix):
            for name, inner in value.items():
                yield from _leaves(f"{prefix}.{name}" if prefix else str(name), inner, flat=flat)
    elif value is not None:
        yield prefix, value


def _type_of(value: Any, *, flat: bool) -> str:
    if isinstance(value, Mapping):
        return "flat_object" if flat else "object"
    if isinstance(value, bool):
        return "boolean"
    return "double" if isinstance(value, (int, float)) else "keyword"


def _fits(value: Any, type_: str, wanted: str) -> bool:
    match wanted:
        case "text" | "keyword":
            return not isinstance(value, Mapping)
        case "double":
            return value == "" or as_number(value) is not None
        case "boolean":
            return value in ("true", "false", "") or isinstance(value, bool)
    return type_ == wanted
