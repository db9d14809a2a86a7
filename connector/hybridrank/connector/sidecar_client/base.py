"""Interfaces of the sidecar for the connector: query vectors and relevance scores, each within a timeout."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from hybridrank.common.model_info import ModelInfo
from hybridrank.connector.types import DEFAULT_CHUNKS, DocumentKey, Encoding, RelevanceScore

__all__ = ["Encoder", "FeatureRescorer", "Passage", "Rescorer", "Sidecar", "SparseEncoder"]


@dataclass(frozen=True, slots=True)
class Passage:
    """The text of one candidate for a reranker, or its stored token vectors, which replace the text."""

    doc_id: str
    text: str
    token_vectors: bytes = field(default=b"", repr=False)
    index: str = ""

    @property
    def key(self) -> DocumentKey:
        """Key of the document among those of all indices."""
        return DocumentKey(self.index, self.doc_id)


class Encoder(Protocol):
    """Turns texts into vectors."""

    async def encode(
        self, texts: Sequence[str], *, model: str, kind: Literal["query", "document"], timeout_s: float
    ) -> tuple[Encoding, ...]:
        """Returns one unit vector per text, in order. Raises SidecarError."""
        ...


class SparseEncoder(Protocol):
    """Turns texts into sparse vectors."""

    async def encode_sparse(
        self, texts: Sequence[str], *, model: str, kind: Literal["query", "document"], timeout_s: float
    ) -> tuple[Encoding, ...]:
        """Returns one sparse vector per text, in order. Raises SidecarError."""
        ...


class Rescorer(Protocol):
    """Scores how well passages match a query."""

    async def model(self, name: str, *, timeout_s: float) -> ModelInfo:
        """Returns the model that answers to the name. A search without a weight asks after each reply, so remember it.

        Raises SidecarError.
        """
        ...

    async def rescore(
        self,
        query_text: str,
        passages: Sequence[Passage],
        *,
        model: str,
        timeout_s: float,
        allow_partial: bool = False,
        max_chunks: int = DEFAULT_CHUNKS,
    ) -> tuple[RelevanceScore | None, ...]:
        """Returns one finite score per passage, in the order of `passages`. Raises SidecarError.

        A long text is read in up to `max_chunks` windows, the first of every text before any second one, as far as time
        allows. With `allow_partial`, None for a passage that was not scored in time; at least one has a score.
        """
        ...


class FeatureRescorer(Protocol):
    """Scores candidates by their features."""

    async def rescore_features(
        self, rows: Sequence[Sequence[float]], *, feature_set_digest: str, model: str, timeout_s: float
    ) -> tuple[RelevanceScore | None, ...]:
        """Returns one finite score per row, in order; NaN in a row is a missing value. Raises SidecarError.

        The digest identifies the feature set of the rows; a model that was trained on another refuses it.
        """
        ...


class Sidecar(Encoder, SparseEncoder, Rescorer, FeatureRescorer, Protocol):
    """All interfaces of the sidecar."""
