"""Compares the encoder of a query's vector with the encoder that an index notes for its vectors."""

import logging

from hybridrank.common.encoders import same_encoder
from hybridrank.connector.mapping.fields import Fields
from hybridrank.index_templates import EncoderNote, IndexDefinition, TokenNote
from hybridrank.index_templates.sparse import SPARSE
from hybridrank.index_templates.vectors import TOKEN_VECTORS
from hybridrank.ltr_features import FeatureQuery, FeatureSet

__all__ = [
    "encoder_conflict",
    "feature_encoder_problem",
    "lacking_note",
    "lost_vectors",
    "vector_problem",
    "warn_of_missing_note",
]

log = logging.getLogger(__name__)

_WARNED: set[tuple[str, str, str]] = set()  # engine, index, field


def feature_encoder_problem(index: str, fields: Fields, feature_set: FeatureSet, query: FeatureQuery) -> str:
    """Returns a sentence if a feature compares vectors of another encoder than the query's; empty if none does."""
    if not isinstance(query.encoder, EncoderNote):
        return ""
    compared = [each for each in feature_set.features if each.kind == "vector_similarity"]
    paths = ((each.name, fields.vector_path(each.field)) for each in compared)
    problems = ((name, vector_problem(index, fields, path, query.encoder)) for name, path in paths)
    return next((f"feature {name!r}: {problem}" for name, problem in problems if problem), "")


def encoder_conflict(fields: Fields, definition: IndexDefinition) -> str:
    """Returns a sentence if an encoder of the definition differs from that of the existing vectors; empty otherwise."""
    for concrete, notes in fields.encoders.items():
        for path, wanted in definition.encoders.items():
            noted = notes.get(path)
            if noted and not same_encoder(noted, wanted):
                same = (
                    f"say `--colbert {noted.name}`" if path == TOKEN_VECTORS else "write with the encoder of the index"
                )
                return (
                    f"field {path!r} of index {concrete!r} holds vectors of {noted}, not of {wanted}"
                    f"{_why(noted, wanted)}, and vectors of two encoders cannot be compared; {same}, or index into a"
                    " new name and `hybridrank index swap` to it"
                )
    return ""


def lost_vectors(fields: Fields, definition: IndexDefinition) -> str:
    """Returns a sentence if the index has vectors that documents of the definition lack; empty if it has none.

    A written document replaces the stored one, whose vectors would be gone. Without a note, only the field of sparse
    vectors is known to be ours.
    """
    for concrete, notes in sorted(fields.encoders.items()):
        if SPARSE in notes and not definition.sparse:
            noted = notes[SPARSE]
            model, name = (f"of {noted}", noted.name) if noted else ("of a model that it does not note", "MODEL")
            return (
                f"index {concrete!r} holds sparse vectors {model}, which documents written without it would lose; say"
                f" `--sparse {name}` (in Python sparse={name!r}), or index into a new name"
            )
        tokens = notes.get(TOKEN_VECTORS)
        if isinstance(tokens, TokenNote) and not definition.token_vectors:
            return (
                f"index {concrete!r} holds token vectors of {tokens}, which documents written without would lose; say"
                f" `--token-vectors {tokens.format} --colbert {tokens.name}` (in Python"
                f" token_vectors={tokens.format!r}, colbert={tokens.name!r}), or index into a new name"
            )
        ours = (path for path, note in notes.items() if note and path not in (SPARSE, TOKEN_VECTORS))
        if lost := [path for path in ours if path not in definition.vector_paths]:
            return (
                f"index {concrete!r} holds vectors in {', '.join(lost)}, which documents written without would lose;"
                " index into a new name, or give index_documents the vector_fields that made them"
            )
    return ""


def lacking_note(fields: Fields, path: str) -> list[str]:
    """Returns the concrete indices that have vectors in this field and do not note their encoder."""
    return [concrete for concrete, note in _notes(fields, path) if note is None]


def warn_of_missing_note(engine: str, index: str, fields: Fields, path: str, encoder: EncoderNote) -> None:
    """Logs, once per process for each index and field, that the index does not note the encoder of its vectors."""
    missing = lacking_note(fields, path)
    if not missing or (engine, index, path) in _WARNED:
        return
    _WARNED.add((engine, index, path))
    log.warning(
        "index %s does not note which encoder made the vectors of field %s; they are taken for vectors of %s."
        " If they are, `hybridrank index encoder %s` notes it",
        ", ".join(missing),
        path,
        encoder,
        missing[0],
    )


def vector_problem(index: str, fields: Fields, path: str, wanted: EncoderNote) -> str:
    """Returns a sentence if the field's vectors are from another encoder than `wanted`; empty if they are not."""
    notes = _notes(fields, path)
    wrong = [(concrete, note) for concrete, note in notes if note and not same_encoder(note, wanted)]
    if not wrong:
        return ""
    (concrete, noted), *_ = wrong
    fitting = [each for each, note in notes if note and same_encoder(note, wanted)]
    behind = f", behind {index!r}," if concrete != index else ""
    way_out = (
        f"search {', '.join(fitting)} alone until the rest is indexed anew"
        if fitting
        else "search with the encoder of the index, or index anew under a new name and `hybridrank index swap` to it"
    )
    return (
        f"field {path!r} of index {concrete!r}{behind} holds vectors of {noted}, and the query was encoded by"
        f" {wanted}{_why(noted, wanted)}; vectors of two encoders cannot be compared: {way_out}"
    )


def _notes(fields: Fields, path: str) -> list[tuple[str, EncoderNote | None]]:
    """Returns each concrete index with such vectors, and the encoder that it notes."""
    return [(concrete, notes[path]) for concrete, notes in sorted(fields.encoders.items()) if path in notes]


def _why(one: EncoderNote, other: EncoderNote) -> str:
    differences = one.differences(other)
    return f" ({differences})" if differences else ""
