"""Retriever by sparse vectors, such as SPLADE's. Each engine has its own clause (`Dialect.sparse`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from typing_extensions import Self

from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.queries.filters import clauses
from hybridrank.connector.queries.retrievers.base import Dialect, Matches, Query, Reader, Request, shared
from hybridrank.connector.types import Encoding
from hybridrank.index_templates import EncoderNote
from hybridrank.index_templates.sparse import FIELD_TYPES

__all__ = ["SparseQuery"]


@dataclass(frozen=True, slots=True)
class SparseQuery(Query):
    """Query for the documents with the highest dot product of their weights in `field` with `weights`, by token.

    Documents that share no token with the query do not match. Servers round the weights of documents to 8 bits behind
    the first one, so that their scores are up to 0.4 % lower than exact ones. `encoder` made the weights.
    """

    name: ClassVar[str] = "sparse"
    needs_sparse: ClassVar[bool] = True

    weights: Mapping[str, float]
    field: str
    encoder: EncoderNote | None = None

    @classmethod
    def of(cls, request: Request, encoding: Encoding | None) -> Self:
        """Returns the query of a request."""
        assert encoding is not None
        return cls(encoding.sparse, request.sparse_field, encoder=encoding.encoder, **shared(request))

    def fitted(self, fields: Fields) -> Self:
        """Finds the field of an alias."""
        return replace(self, field=fields.made_of.get(self.field, self.field))

    def searched(self, fields: Fields) -> Sequence[str]:  # noqa: ARG002
        """Returns the field."""
        return [self.field]

    def mismatch(self, index: str, fields: Fields) -> str:
        """Returns a sentence if the field holds something else than sparse vectors."""
        held = fields.types.get(self.field)
        if held in FIELD_TYPES:
            return ""
        return f"field {self.field!r} of index {index!r} is of type {held}, not one of {', '.join(FIELD_TYPES)}"

    @property
    def compared(self) -> tuple[str, EncoderNote | None]:
        """The field and the encoder."""
        return self.field, self.encoder

    def clause(self, dialect: Dialect) -> dict[str, Any]:
        """Returns the engine's clause, with filters that do not change the score."""
        matching = dialect.sparse(self) if self.weights else {"match_none": {}}
        return {"bool": {"must": [matching], "filter": clauses(self.filters)}} if self.filters else matching

    def matches(self, reader: Reader) -> Matches:
        """Adds up the products."""
        return reader.sparse(self)
