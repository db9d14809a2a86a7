"""Checks a query against an index's mapping, because engines return no hits and no error for a misspelt field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar, cast

from hybridrank.connector.engines.mapping import field_types
from hybridrank.connector.engines.mapping.field_types import FLAT_TYPES, METADATA, FieldType, known_fields
from hybridrank.connector.engines.mapping.filter_fitting import Unfit, fitted
from hybridrank.connector.queries.aggregations import aggregated_fields
from hybridrank.connector.queries.retrievers.knn import as_bytes
from hybridrank.connector.types import Bm25Query, Filter, KnnQuery, Not, Query, Vector
from hybridrank.index_templates import DEFAULT_BOOSTS, ID_FIELD, EncoderNote, noted, noted_encoders
from hybridrank.index_templates.vectors import PASSAGES, held
from hybridrank.ltr_features import FeatureQuery, FeatureSet

__all__ = [
    "Fields",
    "absent",
    "as_sent",
    "feature_problem",
    "feature_vector",
    "filter_problem",
    "problem",
    "read",
    "unknown",
    "unsearched",
    "with_fields",
    "without_vectors",
]

_PASSAGE_VECTOR = f"{PASSAGES}.vector"
_NAMED = 5  # indices without a field that a message names: a pattern may match hundreds

AnyQuery = TypeVar("AnyQuery", bound=Query)


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of an index: path → type, and the vector lengths of vector fields.

    `boosts` are the fields of a search that names none, `held` is the storage of vectors. `encoders` has, for each
    concrete index, its vector fields and the noted encoder of each, None without a note. `language` is the language of
    its text analysis, empty if not noted. With several indices, a field exists if one of them has it. `made_of` maps a
    subfield or an alias to its field, `copied` a field to those that are copied to it. `filtered` has each type of a
    field in the indices, with the first index of that type.
    """

    types: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, set[int]] = field(default_factory=dict)
    boosts: dict[str, float] = field(default_factory=lambda: dict(DEFAULT_BOOSTS))
    held: dict[str, Literal["float", "byte", "rounded"]] = field(default_factory=dict)
    encoders: dict[str, dict[str, EncoderNote | None]] = field(default_factory=dict)
    language: str = ""
    made_of: dict[str, str] = field(default_factory=dict)
    copied: dict[str, list[str]] = field(default_factory=dict)
    filtered: dict[str, dict[FieldType, str]] = field(default_factory=dict)

    @property
    def indices(self) -> tuple[str, ...]:
        """The concrete indices, in alphabetical order."""
        return tuple(sorted(self.encoders))

    @property
    def has_ids(self) -> bool:
        """True if the index stores ids in a column (doc values), as indices from our templates do."""
        return self.types.get(ID_FIELD) == "keyword"

    def stored(self, name: str) -> tuple[str, ...]:
        """Returns the paths of the field's content in documents: its own, and those that are copied to it.

        The content of a subfield is in its parent field, that of an alias in its target field.
        """
        own = self.made_of.get(name, name)
        return (own, *self.copied.get(own, ()))

    def vector_path(self, name: str) -> str:
        """Returns the vector field for a name: the field itself, or the target of an alias."""
        return name if name in self.dimensions else self.made_of.get(name, name)

    def named(self, pattern: str) -> list[str]:
        """Returns the text fields that match a name with `*`; any other name is returned unchanged."""
        if "*" not in pattern:
            return [pattern]
        return [name for name, kind in self.types.items() if kind == "text" and fnmatchcase(name, pattern)]


def read(mappings: Mapping[str, Any]) -> Fields:
    """Returns the fields of all indices of a `_mapping` response (an alias may resolve to several).

    If indices note different boosts for the same field, the alphabetically first index counts, also for the language.
    Ids count as a column only if every index has the column.
    """
    boosts: dict[str, float] = {}
    language = ""
    for index in sorted(mappings, reverse=True):
        ours = noted(mappings[index]["mappings"])
        boosts |= _noted_boosts(ours.get("boosts"))
        language = str(ours.get("language", language))
    found = Fields(boosts=boosts or dict(DEFAULT_BOOSTS), language=language)
    for index in sorted(mappings):
        mapping = mappings[index]["mappings"]
        own = Fields()
        types = field_types.collect(mapping)
        own.types.update({path: type_.name for path, type_ in types.items() if path not in METADATA})
        _collect(mapping.get("properties") or {}, "", own)
        _merge(own, found)
        for path, type_ in types.items():
            found.filtered.setdefault(path, {}).setdefault(type_, index)
        notes = noted_encoders(mapping)
        found.encoders[index] = {path: notes.get(path) for path in own.dimensions}
    if not all(ID_FIELD in each["mappings"].get("properties", {}) for each in mappings.values()):
        found.types.pop(ID_FIELD, None)
    return found


def _noted_boosts(noted: Any) -> dict[str, float]:
    """Returns the boosts of a `_meta`, which may hold anything."""
    factors = noted.items() if isinstance(noted, Mapping) else ()
    return {name: factor for name, factor in factors if isinstance(factor, int | float) and factor > 0}


def unsearched(queries: Sequence[Query], fields: Fields) -> str:
    """Returns a sentence with the indices that do not have a query's vector field; empty if all have it."""
    wanted = [found.field for query in queries if isinstance(found := with_fields(query, fields), KnnQuery)]
    lacking = [index for index in fields.indices for name in wanted if name not in fields.encoders[index]]
    if len(fields.indices) == 1 or not lacking:
        return ""
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    return f"{', '.join(lacking[:_NAMED])}{more}: no vectors in the field {wanted[0]!r}"


def with_fields(query: AnyQuery, fields: Fields) -> AnyQuery:
    """Adapts the query to the index: adds its fields and boosts if none are named, converts vectors to its storage.

    If the index has passages instead of one vector per document, passages are compared, and hits include the best one.
    No hit includes vectors.
    """
    has_passages = _has_passages(fields)
    excluded = without_vectors(query.source_excludes, fields)
    if isinstance(query, Bm25Query):
        passages = PASSAGES if has_passages and query.rank_window_size else ""
        wanted = query.fields or fields.boosts
        return cast("AnyQuery", replace(query, fields=wanted, passages=passages, source_excludes=excluded))
    name = fields.vector_path(query.field)
    if has_passages and name == "vector" and name not in fields.dimensions:
        name = _PASSAGE_VECTOR
    held = fields.held.get(name, "float")
    return cast(
        "AnyQuery",
        replace(
            query,
            vector=as_bytes(query.vector) if held == "byte" else query.vector,
            field=name,
            path=_parent_of(name, fields, ("nested",)),
            oversample=query.oversample if held == "rounded" else None,
            source_excludes=excluded,
        ),
    )


def without_vectors(source_excludes: Sequence[str], fields: Fields) -> tuple[str, ...]:
    """Returns the fields that sources leave out: the named ones, and all vectors."""
    vectors = (PASSAGES if _has_passages(fields) and name == _PASSAGE_VECTOR else name for name in fields.dimensions)
    return tuple(dict.fromkeys((*source_excludes, *vectors)))


def _has_passages(fields: Fields) -> bool:
    return _PASSAGE_VECTOR in fields.dimensions and fields.types.get(PASSAGES) == "nested"


def problem(index: str, fields: Fields, query: Query) -> str:
    """Returns a sentence on the query's field that does not fit the index; empty if all fit."""
    query = with_fields(query, fields)
    if isinstance(query, Bm25Query):
        wanted = [*query.fields]
    else:
        wanted = [] if query.field in fields.dimensions else [query.field]
    missing = absent(index, fields, [*wanted, *(_filtered_field(each) for each in query.filters)])
    if isinstance(query, Bm25Query):
        counted = aggregated_fields(query.aggregations)
        return missing or next(filter(None, (unknown(index, fields, name) for name in counted)), "")
    if missing:
        return missing
    return _wrong_length(index, fields, query.field, len(query.vector))


def filter_problem(index: str, fields: Fields, query: Query) -> str:
    """Returns a sentence on the filter that cannot work in the index; empty if all can."""
    try:
        fitted(index, fields.filtered, query.filters)
    except Unfit as unfit:
        return str(unfit)
    return ""


def as_sent(query: AnyQuery, index: str, fields: Fields) -> AnyQuery:
    """Returns the query with its fields and filter values, after `problem` and `filter_problem` have passed."""
    return replace(with_fields(query, fields), filters=fitted(index, fields.filtered, query.filters))


def absent(index: str, fields: Fields, names: Sequence[str]) -> str:
    """Returns a sentence on the fields that are missing in the index; empty if it has all."""
    return next(filter(None, (_missing(index, fields, name) for name in names)), "")


def feature_vector(fields: Fields, feature_set: FeatureSet, vector: Vector | None) -> Vector | None:
    """Returns the query's vector converted to the storage of the fields with which features compare it."""
    compared = {fields.vector_path(each.field) for each in feature_set.features if each.kind == "vector_similarity"}
    return as_bytes(vector) if vector and any(fields.held.get(name) == "byte" for name in compared) else vector


def feature_problem(index: str, fields: Fields, feature_set: FeatureSet, query: FeatureQuery) -> str:
    """Returns a sentence on the feature that does not fit the index; empty if all fit."""
    for feature in feature_set.features:
        names = (*getattr(feature, "fields", ()), *filter(None, [getattr(feature, "field", None)]))
        found = [_missing(index, fields, name) for name in names]
        if feature.kind == "vector_similarity" and query.vector is not None:
            found.append(_wrong_length(index, fields, fields.vector_path(feature.field), len(query.vector)))
        if any(found):
            return f"feature {feature.name!r}: {next(filter(None, found))}"
    return ""


def _missing(index: str, fields: Fields, name: str) -> str:
    if nested := _parent_of(name, fields, ("nested",)):
        return (
            f"field {name!r} of index {index!r} lies in the nested field {nested!r}, where a query matches nothing;"
            " include_in_root in its mapping puts a copy where queries look"
        )
    if fields.types.get(name) in ("object", "nested"):
        inner = ", ".join(sorted(each for each in fields.types if each.startswith(f"{name}."))) or "none"
        return f"field {name!r} of index {index!r} is an object, in which a query matches nothing; its fields: {inner}"
    return unknown(index, fields, name)


def unknown(index: str, fields: Fields, name: str) -> str:
    """Returns a sentence if the index's mapping does not have the field; empty if it has, nested or not."""
    if name in fields.types or name.startswith("_") or _parent_of(name, fields, FLAT_TYPES):
        return ""
    if "*" in name and any(fnmatchcase(each, name) for each in fields.types):
        return ""
    return f"index {index!r} has no field {name!r}; {known_fields(name, fields.types)}"


def _parent_of(name: str, fields: Fields, types: Sequence[str]) -> str:
    """Returns the object around the field, if it has one of these types; empty otherwise."""
    parents = (name[:place] for place, letter in enumerate(name) if letter == ".")
    return next((parent for parent in parents if fields.types.get(parent) in types), "")


def _wrong_length(index: str, fields: Fields, name: str, length: int) -> str:
    dimensions = fields.dimensions.get(name, {length})
    if length in dimensions:
        return ""
    return (
        f"field {name!r} of index {index!r} holds vectors of {' or '.join(map(str, sorted(dimensions)))} dimensions,"
        f" the query vector has {length}; was the index made with another encoder?"
    )


def _collect(properties: Mapping[str, Any], prefix: str, found: Fields) -> None:
    for name, definition in properties.items():
        path = f"{prefix}{name}"
        dimensions = definition.get("dimension") or definition.get("dims")
        if dimensions:
            found.dimensions[path] = {int(dimensions)}
            found.held[path] = held(definition)
        if definition.get("type") == "alias":
            found.made_of[path] = definition["path"]
        found.made_of.update({f"{path}.{subfield}": path for subfield in definition.get("fields", ())})
        copies = definition.get("copy_to", ())
        for target in [copies] if isinstance(copies, str) else copies:
            found.copied.setdefault(target, []).append(path)
        for nested in ("properties", "fields"):
            _collect(definition.get(nested) or {}, f"{path}.", found)


def _merge(own: Fields, found: Fields) -> None:
    """Adds one index. If types differ, the first counts; a nested type, in which queries match nothing, counts last."""
    for path, kind in own.types.items():
        if found.types.get(path, "nested") == "nested":
            found.types[path] = kind
    for path, dimensions in own.dimensions.items():
        found.dimensions.setdefault(path, set()).update(dimensions)
        # A query with whole numbers fits vectors of any kind; other numbers do not fit vectors of whole numbers.
        found.held[path] = "byte" if found.held.get(path) == "byte" else own.held[path]
    found.made_of.update({path: made for path, made in own.made_of.items() if path not in found.made_of})
    for path, copies in own.copied.items():
        found.copied[path] = list(dict.fromkeys([*found.copied.get(path, ()), *copies]))


def _filtered_field(each: Filter) -> str:
    return _filtered_field(each.filter) if isinstance(each, Not) else each.field
