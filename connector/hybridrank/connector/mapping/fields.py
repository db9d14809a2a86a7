"""Checks a query against an index's mapping, because engines return no hits and no error for a misspelt field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from hybridrank.connector.mapping import field_types
from hybridrank.connector.mapping.byte_vectors import as_bytes
from hybridrank.connector.mapping.field_types import FLAT_TYPES, METADATA, FieldType, known_fields
from hybridrank.connector.types import Vector
from hybridrank.index_templates import DEFAULT_BOOSTS, ID_FIELD, EncoderNote, TokenNote, noted, noted_encoders
from hybridrank.index_templates.sparse import FIELD_TYPES, SPARSE
from hybridrank.index_templates.vectors import PASSAGES, TOKEN_VECTORS, held
from hybridrank.ltr_features import FeatureQuery, FeatureSet

__all__ = [
    "Fields",
    "absent",
    "feature_problem",
    "feature_vector",
    "read",
    "unknown",
    "without_vectors",
]

PASSAGE_VECTOR = f"{PASSAGES}.vector"


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of an index: path → type, and the vector lengths of vector fields.

    `boosts` are the fields of a search that names none, `held` is the storage of vectors. `encoders` has, for each
    concrete index, its vector fields and the noted encoder of each, None without a note; `token_vectors` is among them
    only with one. `language` is the language of
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
    def dense_encoders(self) -> dict[str, dict[str, EncoderNote | None]]:
        """`encoders` of the fields that have one vector for a text."""
        return {
            index: {path: note for path, note in notes.items() if self._is_dense(path)}
            for index, notes in self.encoders.items()
        }

    @property
    def sparse_vectors(self) -> EncoderNote | None:
        """The noted model of sparse vectors, of the first index that notes one."""
        return next(filter(None, (notes.get(SPARSE) for notes in self.encoders.values())), None)

    @property
    def token_vectors(self) -> TokenNote | None:
        """The note on token vectors, if all the indices note those of one model, in any format."""
        notes = [each.get(TOKEN_VECTORS) for each in self.encoders.values()]
        digests = {each.digest if each else "" for each in notes}
        return notes[0] if len(digests) == 1 and isinstance(notes[0], TokenNote) else None

    def _is_dense(self, path: str) -> bool:
        return path != TOKEN_VECTORS and self.types.get(path) not in FIELD_TYPES

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
    found = Fields(boosts=_in_order(boosts) or dict(DEFAULT_BOOSTS), language=language)
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
        sparse = [path for path, kind in own.types.items() if kind in FIELD_TYPES]
        tokens = [TOKEN_VECTORS] if TOKEN_VECTORS in notes else []  # without a note, nothing says that there are any
        found.encoders[index] = {path: notes.get(path) for path in (*own.dimensions, *sparse, *tokens)}
    if not all(ID_FIELD in each["mappings"].get("properties", {}) for each in mappings.values()):
        found.types.pop(ID_FIELD, None)
    return found


def _noted_boosts(noted: Any) -> dict[str, float]:
    """Returns the boosts of a `_meta`, which may hold anything."""
    factors = noted.items() if isinstance(noted, Mapping) else ()
    return {name: factor for name, factor in factors if isinstance(factor, int | float) and factor > 0}


def _in_order(boosts: Mapping[str, float]) -> dict[str, float]:
    """Sorts the default fields first, others by boost and name: servers do not keep the order of a `_meta`.

    >>> list(_in_order({"text": 1.0, "author": 0.5, "brand": 2.0, "title": 1.0}))
    ['title', 'text', 'brand', 'author']
    """
    defaults = [name for name in DEFAULT_BOOSTS if name in boosts]
    others = sorted(boosts.keys() - DEFAULT_BOOSTS.keys(), key=lambda name: (-boosts[name], name))
    return {name: boosts[name] for name in [*defaults, *others]}


def without_vectors(source_excludes: Sequence[str], fields: Fields) -> tuple[str, ...]:
    """Returns the fields that sources leave out: the named ones, also by an alias, and all vectors.

    A field `rank_features` may hold something else than a sparse vector, and stays if it is neither named nor noted.
    """
    vectors = [PASSAGES if has_passages(fields) and name == PASSAGE_VECTOR else name for name in fields.dimensions]
    named = {fields.made_of.get(name, name) for name in source_excludes}
    sparse = [
        path
        for notes in fields.encoders.values()
        for path, note in notes.items()
        if (kind := fields.types.get(path)) in FIELD_TYPES and (note or path in {SPARSE, *named} or kind == SPARSE)
    ]
    return tuple(dict.fromkeys((*source_excludes, *vectors, *sparse)))


def has_passages(fields: Fields) -> bool:
    return PASSAGE_VECTOR in fields.dimensions and fields.types.get(PASSAGES) == "nested"


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
            found.append(wrong_length(index, fields, fields.vector_path(feature.field), len(query.vector)))
        if any(found):
            return f"feature {feature.name!r}: {next(filter(None, found))}"
    return ""


def _missing(index: str, fields: Fields, name: str) -> str:
    if nested := parent_of(name, fields, ("nested",)):
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
    if name in fields.types or name.startswith("_") or parent_of(name, fields, FLAT_TYPES):
        return ""
    if "*" in name and any(fnmatchcase(each, name) for each in fields.types):
        return ""
    return f"index {index!r} has no field {name!r}; {known_fields(name, fields.types)}"


def parent_of(name: str, fields: Fields, types: Sequence[str]) -> str:
    """Returns the object around the field, if it has one of these types; empty otherwise."""
    parents = (name[:place] for place, letter in enumerate(name) if letter == ".")
    return next((parent for parent in parents if fields.types.get(parent) in types), "")


def wrong_length(index: str, fields: Fields, name: str, length: int) -> str:
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
