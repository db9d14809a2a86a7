"""What the connector asks of a sidecar: query vectors and relevance scores, each within a time budget."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from hybridrank.connector.types import DEFAULT_CHUNKS, DocumentKey, Encoding, RelevanceScore

__all__ = ["Encoder", "FeatureRescorer", "Passage", "Rescorer", "Sidecar"]


@dataclass(frozen=True, slots=True)
class Passage:
    """The text of one candidate, as a reranker reads it, or its stored token vectors, which go in place of it."""

    doc_id: str
    text: str
    token_vectors: bytes = field(default=b"", repr=False)
    index: str = ""

    @property
    def key(self) -> DocumentKey:
        """Names the document among those of all indices."""
        return DocumentKey(self.index, self.doc_id)


class Encoder(Protocol):
    """Turns texts into vectors."""

    async def encode(
        self, texts: Sequence[str], *, model: str, kind: Literal["query", "document"], timeout_s: float
    ) -> tuple[Encoding, ...]:
        """One unit vector a text, in order. Raises SidecarError."""
        ...


class Rescorer(Protocol):
    """Scores how well passages answer a query."""

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
        """One finite score a passage, in the order of `passages`. Raises SidecarError.

        A long text is read in up to `max_chunks` windows, the first of every text before any second one, as far as the
        time allows. With `allow_partial`, None for a passage that was not scored in time; at least one was.
        """
        ...


class FeatureRescorer(Protocol):
    """Scores candidates by their features."""

    async def rescore_features(
        self, rows: Sequence[Sequence[float]], *, feature_set_digest: str, model: str, timeout_s: float
    ) -> tuple[RelevanceScore | None, ...]:
        """One finite score a row, in order; NaN in a row is a missing value. Raises SidecarError.

        The digest is that of the feature set the rows were made by; a model that was trained on another refuses.
        """
        ...


class Sidecar(Encoder, Rescorer, FeatureRescorer, Protocol):
    """All faces of the sidecar."""
