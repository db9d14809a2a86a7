"""Checks a query against an index's mapping: an engine answers a misspelt field with no hits and no word of why."""

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
_NAMED = 5  # of the indices that lack a field: a pattern may stand for hundreds

AnyQuery = TypeVar("AnyQuery", bound=Query)


@dataclass(frozen=True, slots=True)
class Fields:
    """What an index holds: field path → type, and the lengths of the vectors of those that hold vectors.

    `boosts` are the fields that a search which names none searches, `held` tells how vectors are. `encoders` has, for
    each concrete index, its fields of vectors and the encoder that it notes for each, None where it notes none.
    `language` is what its texts are analysed for, empty where it does not say. Of several indices, a field is there
    when one of them has it. `made_of` leads from a subfield or an alias to its field, `copied` from a field to those
    that are copied to it. `filtered` has each type that a field has in one of the indices, with the first of them.
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
        """Whether the index holds ids by column, as those do that our templates made."""
        return self.types.get(ID_FIELD) == "keyword"

    def stored(self, name: str) -> tuple[str, ...]:
        """The paths at which documents hold what the field holds: its own, and those that are copied to it.

        A subfield is held by the field that it is made of, an alias by the field that it stands for.
        """
        own = self.made_of.get(name, name)
        return (own, *self.copied.get(own, ()))

    def vector_path(self, name: str) -> str:
        """The field of vectors that a name stands for: itself, or as an alias of it."""
        return name if name in self.dimensions else self.made_of.get(name, name)

    def named(self, pattern: str) -> list[str]:
        """The text fields that a name with `*` stands for; any other name stands for itself."""
        if "*" not in pattern:
            return [pattern]
        return [name for name, kind in self.types.items() if kind == "text" and fnmatchcase(name, pattern)]


def read(mappings: Mapping[str, Any]) -> Fields:
    """The fields of all indices of a `_mapping` response (an alias may stand for several).

    Where indices note boosts of their own for the same field, those of the first in the alphabet count, as does its
    language. Ids are held by column only where every index has the column.
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
    """The boosts of a `_meta`, which may hold anything."""
    factors = noted.items() if isinstance(noted, Mapping) else ()
    return {name: factor for name, factor in factors if isinstance(factor, int | float) and factor > 0}


def unsearched(queries: Sequence[Query], fields: Fields) -> str:
    """The sentence that names those of several indices that lack a query's vector field; empty when none does."""
    wanted = [found.field for query in queries if isinstance(found := with_fields(query, fields), KnnQuery)]
    lacking = [index for index in fields.indices for name in wanted if name not in fields.encoders[index]]
    if len(fields.indices) == 1 or not lacking:
        return ""
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    return f"{', '.join(lacking[:_NAMED])}{more}: no vectors in the field {wanted[0]!r}"


def with_fields(query: AnyQuery, fields: Fields) -> AnyQuery:
    """The query as the index wants it: with its fields and boosts where it names none, vectors as it holds them.

    Where the index has passages in place of one vector for a document, those are compared, and the best is brought
    along. No hit carries vectors.
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
    """What sources do not hold: what is named, and all vectors."""
    vectors = (PASSAGES if _has_passages(fields) and name == _PASSAGE_VECTOR else name for name in fields.dimensions)
    return tuple(dict.fromkeys((*source_excludes, *vectors)))


def _has_passages(fields: Fields) -> bool:
    return _PASSAGE_VECTOR in fields.dimensions and fields.types.get(PASSAGES) == "nested"


def problem(index: str, fields: Fields, query: Query) -> str:
    """The sentence that says which field of the query does not fit the index; empty when all do."""
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
    """The sentence that says which filter cannot mean what it says in the index; empty when all can."""
    try:
        fitted(index, fields.filtered, query.filters)
    except Unfit as unfit:
        return str(unfit)
    return ""


def as_sent(query: AnyQuery, index: str, fields: Fields) -> AnyQuery:
    """The query, of which `problem` and `filter_problem` tell none, with its fields and the values of its filters."""
    return replace(with_fields(query, fields), filters=fitted(index, fields.filtered, query.filters))


def absent(index: str, fields: Fields, names: Sequence[str]) -> str:
    """The sentence that says which of the fields the index lacks; empty when it has all."""
    return next(filter(None, (_missing(index, fields, name) for name in names)), "")


def feature_vector(fields: Fields, feature_set: FeatureSet, vector: Vector | None) -> Vector | None:
    """The query's vector as the fields hold theirs that features compare it with."""
    compared = {fields.vector_path(each.field) for each in feature_set.features if each.kind == "vector_similarity"}
    return as_bytes(vector) if vector and any(fields.held.get(name) == "byte" for name in compared) else vector


def feature_problem(index: str, fields: Fields, feature_set: FeatureSet, query: FeatureQuery) -> str:
    """The sentence that says which feature does not fit the index; empty when all do."""
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
    """The sentence that says that the index's mapping lacks the field; empty when it is there, nested or not."""
    if name in fields.types or name.startswith("_") or _parent_of(name, fields, FLAT_TYPES):
        return ""
    if "*" in name and any(fnmatchcase(each, name) for each in fields.types):
        return ""
    return f"index {index!r} has no field {name!r}; {known_fields(name, fields.types)}"


def _parent_of(name: str, fields: Fields, types: Sequence[str]) -> str:
    """The object around the field, if it is of one of these types; empty otherwise."""
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
    """Add one index. Of types that differ the first counts, and a nested one, in which queries match nothing, last."""
    for path, kind in own.types.items():
        if found.types.get(path, "nested") == "nested":
            found.types[path] = kind
    for path, dimensions in own.dimensions.items():
        found.dimensions.setdefault(path, set()).update(dimensions)
        # A query's whole numbers fit vectors of any kind, its other numbers do not fit vectors of whole numbers.
        found.held[path] = "byte" if found.held.get(path) == "byte" else own.held[path]
    found.made_of.update({path: made for path, made in own.made_of.items() if path not in found.made_of})
    for path, copies in own.copied.items():
        found.copied[path] = list(dict.fromkeys([*found.copied.get(path, ()), *copies]))


def _filtered_field(each: Filter) -> str:
    return _filtered_field(each.filter) if isinstance(each, Not) else each.field
