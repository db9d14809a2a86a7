"""Index templates for each engine: everything that a passage index needs, filled in for one index."""

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any, Literal

from hybridrank.common.encoders import EncoderNote, TokenNote
from hybridrank.index_templates.analysis import Subfield, analysis, search_analysis, stored_synonyms, text_field
from hybridrank.index_templates.languages import Language
from hybridrank.index_templates.sparse import SPARSE, sparse_field
from hybridrank.index_templates.vectors import PASSAGES, TOKEN_VECTORS, VectorKind, dimensions_of, vector_properties

__all__ = [
    "DEFAULT_BOOSTS",
    "HEAVY_FIELDS",
    "ID_FIELD",
    "TEMPLATE_KEYS",
    "EncoderNote",
    "IndexDefinition",
    "TokenNote",
    "carried_over",
    "changes",
    "dimensions_of",
    "fitting",
    "noted",
    "noted_encoders",
    "render",
    "template_name",
    "with_notes",
]

DEFAULT_BOOSTS: Mapping[str, float] = {"title": 1.0, "text": 1.0}
"""Default boosts of the fields that BM25 searches, for an index without its own."""

ID_FIELD = "hybridrank_id"
"""Holds the document id as a column (doc values); the engine's own `_id` is in the stored document."""

HEAVY_FIELDS = ("vector", TOKEN_VECTORS, ID_FIELD)
"""Fields that are stored for machines; search answers do not need them."""

TEMPLATE_KEYS = ("index_patterns", "priority", "version", "template")
"""The keys of a template that hybridrank writes; a server adds its own, such as the creation time."""


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """Settings that differ between passage indices.

    `dimensions` is the vector length, which indexing takes from the encoder. `text_fields` are analysed for BM25 as
    `language` says; every other string is stored as one keyword; each text field gets the `subfields`. `boosts`, field
    → factor, are the fields of a search that names none; by default each text field with boost 1. `synonyms` are rules
    in Solr's format. The content of an object is stored as terms under one field ("flat"), or each key becomes its own
    field ("fields"), at most 1000. If `boosts` or `synonyms` are not given, an index keeps its own. `vectors` is the
    storage of vectors; `vector_fields` are vector fields besides `vector`, name → dimensions; with `passages`, each
    passage of a document has a vector. `encoder` makes all of them, and is noted in the mapping. `sparse` makes sparse
    vectors in the field `sparse_vector`, `token_vectors` those in the field `token_vectors`; both are noted too.
    """

    dimensions: int = 0
    text_fields: tuple[str, ...] = tuple(DEFAULT_BOOSTS)
    language: Language = "english"
    subfields: tuple[Subfield, ...] = ()
    boosts: Mapping[str, float] | None = None
    synonyms: tuple[str, ...] = ()
    objects: Literal["flat", "fields"] = "flat"
    vectors: VectorKind = "float"
    vector_fields: Mapping[str, int] = field(default_factory=dict)
    passages: bool = False
    encoder: EncoderNote | None = None
    sparse: EncoderNote | None = None
    token_vectors: TokenNote | None = None

    @property
    def searched(self) -> Mapping[str, float]:
        """The fields that BM25 searches if a request names none, each with its boost."""
        return dict.fromkeys(self.text_fields, 1.0) | dict(self.boosts or {})

    @property
    def subfield_paths(self) -> tuple[str, ...]:
        """Path of each subfield of each text field, such as `title.exact`."""
        return tuple(f"{field}.{each}" for field in self.text_fields for each in self.subfields)

    @property
    def vector_paths(self) -> tuple[str, ...]:
        """Paths of the vector fields."""
        return (f"{PASSAGES}.vector" if self.passages else "vector", *self.vector_fields)

    @property
    def encoders(self) -> Mapping[str, EncoderNote]:
        """The encoder of each field of vectors, where it is known."""
        dense = dict.fromkeys(self.vector_paths, self.encoder) if self.encoder else {}
        others = {SPARSE: self.sparse, TOKEN_VECTORS: self.token_vectors}
        return dense | {path: note for path, note in others.items() if note}


def template_name(index: str) -> str:
    """Returns the name of an index's own template on the server."""
    return f"hybridrank-{index}"


def render(engine: Literal["opensearch", "elasticsearch"], index: str, definition: IndexDefinition) -> dict[str, Any]:
    """Builds the body of `PUT _index_template/NAME` that makes `index` match `definition`."""
    text = files(__name__).joinpath(f"passages.{engine}.json").read_text(encoding="utf-8")
    body: dict[str, Any] = json.loads(text)
    body["index_patterns"] = [index]
    settings, mappings = body["template"]["settings"], body["template"]["mappings"]
    mappings["_meta"] = {"hybridrank": _notes(definition)}
    mappings["properties"] |= vector_properties(
        engine,
        definition.dimensions,
        definition.vectors,
        more=definition.vector_fields,
        passage_text=text_field(definition.language, (), synonyms=False) if definition.passages else None,
    )
    if definition.sparse:
        mappings["properties"][SPARSE] = sparse_field(engine)
    for name in definition.text_fields:
        mappings["properties"][name] = text_field(
            definition.language, definition.subfields, synonyms=bool(definition.synonyms)
        )
    made = analysis(definition.language, definition.subfields)
    more = search_analysis(definition.language, definition.synonyms) if definition.synonyms else {}
    merged = {kind: made.get(kind, {}) | more.get(kind, {}) for kind in made | more}
    if merged:
        settings["analysis"] = merged
    if definition.objects == "fields":
        mappings["dynamic_templates"] = [
            each for each in mappings["dynamic_templates"] if "objects_are_flat" not in each
        ]
    return body


def fitting(definition: IndexDefinition, capabilities: Collection[str]) -> IndexDefinition:
    """Returns the definition without the parts that the engine does not support; `analysis.lacks` names them."""
    return replace(
        definition,
        language=definition.language if definition.language in capabilities else "standard",
        subfields=tuple(each for each in definition.subfields if each == "exact" or each in capabilities),
    )


def carried_over(definition: IndexDefinition, template: Mapping[str, Any] | None) -> IndexDefinition:
    """Returns the definition; boosts and synonyms that it leaves open come from the template on the server."""
    there = (template or {}).get("template", {})
    if definition.boosts is None and (boosts := noted(there.get("mappings", {})).get("boosts")):
        definition = replace(definition, boosts=boosts)
    if not definition.synonyms:
        definition = replace(definition, synonyms=stored_synonyms(there.get("settings", {})))
    return definition


def noted(mappings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the notes of `render` in a mapping: `language`, `boosts` and `encoders`; empty for a foreign index."""
    meta = mappings.get("_meta")
    found = meta.get("hybridrank") if isinstance(meta, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def noted_encoders(mappings: Mapping[str, Any]) -> dict[str, EncoderNote]:
    """Returns the noted encoder of each vector field that has a note in the index's mapping."""
    found = noted(mappings).get("encoders")
    notes = found.items() if isinstance(found, Mapping) else ()
    kinds = {TOKEN_VECTORS: TokenNote}
    return {str(path): note for path, each in notes if (note := kinds.get(path, EncoderNote).from_json(each))}


def with_notes(mappings: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the `_meta` of an index's mapping with further notes of hybridrank; `encoders` of other fields stay."""
    before = noted(mappings)
    encoders = {**(before.get("encoders") or {}), **notes.get("encoders", {})}
    ours = {**before, **notes, **({"encoders": encoders} if encoders else {})}
    return {**mappings.get("_meta", {}), "hybridrank": ours}


def _notes(definition: IndexDefinition) -> dict[str, Any]:
    notes: dict[str, Any] = {"language": definition.language, "boosts": dict(definition.searched)}
    if definition.encoders:
        notes["encoders"] = {path: each.as_json() for path, each in definition.encoders.items()}
    return notes


def changes(current: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the diff lines from the template on the server (None: there is none) to the wanted one.

    Servers nest settings under `index` and turn numbers into strings, so both sides are compared as sorted
    `dotted.key = value` lines.

    >>> changes({"version": 1}, {"version": 2})
    ('-version = 1', '+version = 2')
    """
    before = sorted(_flat(current or {}))
    after = sorted(_flat(wanted))
    return tuple(f"{line[0]}{line[2:]}" for line in difflib.ndiff(before, after) if line[0] in "+-")


def _flat(value: Any, path: str = "") -> list[str]:
    if isinstance(value, Mapping):
        return [line for key, inner in value.items() for line in _flat(inner, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list):
        return [line for place, inner in enumerate(value) for line in _flat(inner, f"{path}[{place}]")]
    name = path.replace(".settings.analysis.", ".settings.index.analysis.")
    return [f"{name} = {str(value).lower() if isinstance(value, bool) else value}"]
