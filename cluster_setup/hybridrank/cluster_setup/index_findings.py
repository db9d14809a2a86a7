"""Findings about an index and the models of a sidecar: encoder and language. Pure functions."""

from collections.abc import Iterator, Sequence

from hybridrank.cluster_setup.findings import Finding
from hybridrank.common.encoders import same_encoder
from hybridrank.connector import ModelInfo
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.sidecar_client.model_names import models_by_name
from hybridrank.index_templates.languages import language_lack

__all__ = ["encoder_findings", "language_findings"]

_NEW_INDEX = "index anew under a new name and `hybridrank index swap` to it, or serve the encoder that made the index"


def encoder_findings(index: str, fields: Fields, models: Sequence[ModelInfo]) -> Iterator[Finding]:
    """Yields, for each field of vectors, a finding that says if the sidecar's encoder made them."""
    info = models_by_name(models).get("encoder")
    for concrete, notes in sorted(fields.dense_encoders.items() if info else ()):
        for path, note in notes.items():
            subject = f"index {concrete}" if concrete == index else f"index {concrete} behind {index}"
            if info and note is None:
                yield Finding(
                    subject,
                    "note",
                    f"does not note which encoder made the vectors of {path}; the sidecar's is {info.encoder}",
                    f"`hybridrank index encoder {concrete} --field {path}`, if that encoder made them",
                )
            elif info and note and not same_encoder(note, info.encoder):
                detail = f"{path} holds vectors of {note}, and the sidecar's encoder is {info.encoder}: no kNN"
                yield Finding(subject, "problem", detail, _NEW_INDEX)
            elif note:
                yield Finding(subject, "ok", f"{path} holds vectors of {note}, as the sidecar's encoder makes them")


def language_findings(index: str, fields: Fields, models: Sequence[ModelInfo]) -> Iterator[Finding]:
    """Yields a note for each model that was not trained on the language of the index."""
    for each in models:
        if lack := language_lack(fields.language, each.name, each.languages):
            yield Finding(
                f"index {index}",
                "note",
                lack,
                "export a multilingual model (docs/models.md#languages), or search with BM25 alone",
            )
