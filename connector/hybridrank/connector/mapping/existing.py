"""Checks that an existing index can hold the documents of its definition. Pure."""

from collections.abc import Mapping
from typing import Any

from hybridrank import index_templates
from hybridrank.connector.errors import EngineError
from hybridrank.connector.mapping import fields
from hybridrank.connector.mapping.encoders import encoder_conflict, lost_vectors
from hybridrank.index_templates import IndexDefinition
from hybridrank.index_templates.sparse import FIELD_TYPES, SPARSE
from hybridrank.index_templates.vectors import Engine, held, vector_field

__all__ = ["check_index"]


def check_index(engine: Engine, index: str, mapping: Mapping[str, Any], definition: IndexDefinition) -> None:
    """Raises EngineError if an existing index cannot become the wanted one."""
    there = fields.read({index: {"mappings": mapping}})
    if conflict := encoder_conflict(there, definition):
        raise EngineError(conflict, reason="wrong_encoder")
    stored = index_templates.dimensions_of(engine, mapping.get("properties", {}))
    if stored != definition.dimensions:
        raise EngineError(
            f"index {index!r} holds vectors of {stored} dimensions in field 'vector', not"
            f" {definition.dimensions}; index into a new name, or delete it first",
            reason="wrong_dimensions",
        )
    language = index_templates.noted(mapping).get("language", definition.language)
    if language not in (definition.language, "standard"):
        raise EngineError(
            f"index {index!r} was made for {language}, not {definition.language}; say --language {language},"
            " or index into a new name",
            reason="wrong_language",
        )
    if lacking := [each for each in definition.vector_paths if each not in there.dimensions]:
        raise EngineError(
            f"index {index!r} was made without {', '.join(lacking)}, its vectors are in"
            f" {', '.join(there.dimensions)}; index into a new name, and `hybridrank index swap` to it",
            reason="wrong_vectors",
        )
    if definition.sparse and there.types.get(SPARSE) not in FIELD_TYPES:
        raise EngineError(
            f"index {index!r} was made without sparse vectors; index into a new name, and `hybridrank index swap` to"
            " it",
            reason="wrong_vectors",
        )
    if lost := lost_vectors(there, definition):
        raise EngineError(lost, reason="wrong_vectors")
    wanted = held(vector_field(engine, 0, definition.vectors))
    if differing := [each for each in definition.vector_paths if there.held[each] != wanted]:
        raise EngineError(
            f"index {index!r} holds {', '.join(differing)} otherwise than as {definition.vectors}; say --vectors as"
            " it was made, or index into a new name and `hybridrank index swap` to it",
            reason="wrong_vectors",
        )
    if lacking := [each for each in definition.subfield_paths if each not in there.types]:
        raise EngineError(
            f"index {index!r} was made without {', '.join(lacking)}; index into a new name",
            reason="wrong_subfields",
        )
