"""kNN retriever. Each engine has its own clause (`Dialect.knn`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from typing_extensions import Self

from hybridrank.connector.mapping.byte_vectors import as_bytes
from hybridrank.connector.mapping.fields import PASSAGE_VECTOR, Fields, has_passages, parent_of, wrong_length
from hybridrank.connector.queries.retrievers import nested
from hybridrank.connector.queries.retrievers.base import Dialect, Matches, Query, Reader, Request, shared
from hybridrank.connector.types import Encoding, Vector
from hybridrank.index_templates import EncoderNote

__all__ = ["KnnQuery"]


@dataclass(frozen=True, slots=True)
class KnnQuery(Query):
    """Query for the documents nearest to `vector` by cosine.

    `num_candidates` limits the candidates of an approximate index on each shard; an exact engine ignores it. If the
    index rounds vectors, `oversample` times as many are rescored with full-precision vectors. If `field` is inside a
    nested field, `path`, a document has its nearest passage's score. `encoder` made the vector, None for a caller's
    own: an engine compares it with the encoder of the index's vectors.
    """

    name: ClassVar[str] = "knn"
    needs_vector: ClassVar[bool] = True

    vector: Vector
    field: str
    num_candidates: int
    oversample: float | None = None
    encoder: EncoderNote | None = None

    @classmethod
    def of(cls, request: Request, encoding: Encoding | None) -> Self:
        """Returns the query of a request, with twice the window as candidates."""
        assert encoding is not None
        return cls(
            encoding.vector,
            request.vector_field,
            2 * request.rank_window_size,
            oversample=request.oversample,
            encoder=encoding.encoder,
            **shared(request),
        )

    def fitted(self, fields: Fields) -> Self:
        """Finds the field, and converts the vector to its storage.

        If the index has passages instead of one vector per document, passages are compared.
        """
        name = fields.vector_path(self.field)
        if has_passages(fields) and name == "vector" and name not in fields.dimensions:
            name = PASSAGE_VECTOR
        held = fields.held.get(name, "float")
        return replace(
            self,
            vector=as_bytes(self.vector) if held == "byte" else self.vector,
            field=name,
            path=parent_of(name, fields, ("nested",)),
            oversample=self.oversample if held == "rounded" else None,
        )

    def searched(self, fields: Fields) -> Sequence[str]:
        """Returns the field, unless it has vectors, possibly in a nested field."""
        return [] if self.field in fields.dimensions else [self.field]

    def mismatch(self, index: str, fields: Fields) -> str:
        """Returns a sentence if the vectors of the index have another length."""
        return wrong_length(index, fields, self.field, len(self.vector))

    @property
    def compared(self) -> tuple[str, EncoderNote | None]:
        """The field and the encoder."""
        return self.field, self.encoder

    def clause(self, dialect: Dialect) -> dict[str, Any]:
        """Returns the engine's clause. The filter is inside; outside it would apply after the k nearest were chosen."""
        nearest = {"knn": dialect.knn(self)}
        return nested.best(self.path, nearest, name=self.name) if self.path else nearest

    def matches(self, reader: Reader) -> Matches:
        """Compares every vector."""
        return reader.knn(self)
