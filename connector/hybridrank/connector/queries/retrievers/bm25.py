"""BM25 retriever, the same query for OpenSearch and Elasticsearch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from typing_extensions import Self

from hybridrank.common.query_text import beginning
from hybridrank.connector.mapping.fields import Fields, has_passages, unknown
from hybridrank.connector.queries import documents
from hybridrank.connector.queries.aggregations import aggregated_fields
from hybridrank.connector.queries.filters import clauses
from hybridrank.connector.queries.retrievers import nested
from hybridrank.connector.queries.retrievers.base import Dialect, Matches, Query, Reader, Request, shared
from hybridrank.connector.types import DocumentKey, Encoding
from hybridrank.index_templates.vectors import PASSAGES

__all__ = ["TIE_BREAKER", "Bm25Query"]

TIE_BREAKER = 0.2
"""Weight of the weaker fields relative to the best one. Chosen on scifact train and dev, nDCG@10: 0.0 .678, 0.1 .690,
0.2 .695, 0.3 .695, 0.5 .691, 1.0 (fields added up) .672."""


@dataclass(frozen=True, slots=True)
class Bm25Query(Query):
    """Query of `text` against `fields` (name → boost); without fields, it uses the fields and boosts of the index.

    `aggregations`, in the engine's syntax, count over all matches. `track_total_hits` is the maximum of counted
    matches; True counts all of them.
    """

    name: ClassVar[str] = "bm25"

    text: str
    fields: Mapping[str, float]
    aggregations: Mapping[str, Any] = field(default_factory=dict)
    track_total_hits: bool | int = False

    @classmethod
    def of(cls, request: Request, encoding: Encoding | None) -> Self:  # noqa: ARG003
        """Returns the query of a request."""
        counted = request.track_total_hits
        return cls(request.query_text, request.fields, track_total_hits=counted, **shared(request))

    def fitted(self, fields: Fields) -> Self:
        """Adds the fields and boosts of the index if none are named, and the passages of an index that has them."""
        passages = PASSAGES if has_passages(fields) and self.rank_window_size else ""
        return replace(self, fields=self.fields or fields.boosts, path=passages)

    def searched(self, fields: Fields) -> Sequence[str]:  # noqa: ARG002
        """Returns the fields of the query."""
        return list(self.fields)

    def mismatch(self, index: str, fields: Fields) -> str:
        """Returns a sentence on the first aggregated field that the index does not have."""
        counted = aggregated_fields(self.aggregations)
        return next(filter(None, (unknown(index, fields, name) for name in counted)), "")

    def clause(self, dialect: Dialect) -> dict[str, Any]:  # noqa: ARG002
        """Builds a `multi_match` of the text over the boosted fields, with filters that do not change the score.

        `operator: or` lets WAND skip documents that cannot reach the window, after the requested number of hits is
        counted.
        """
        more: dict[str, Any] = {"filter": clauses(self.filters)} if self.filters else {}
        if self.path:  # whose passages change no score
            words = {"match": {f"{self.path}.text": self.searched_text}}
            best = nested.best(self.path, words, name=self.name)
            more["should"] = [{"nested": best["nested"] | {"boost": 0}}]
        return {"bool": {"must": [self._match()], **more}} if more else self._match()

    def more(self) -> dict[str, Any]:
        """Returns the limit of the count, and the aggregations."""
        counted = {"aggs": dict(self.aggregations)} if self.aggregations else {}
        return {"track_total_hits": self.track_total_hits, **counted}

    def matches(self, reader: Reader) -> Matches:
        """Runs it with tantivy."""
        return reader.bm25(self)

    def highlights(self, fields: Sequence[str], keys: Sequence[DocumentKey]) -> dict[str, Any]:
        """Returns a search for these documents with fragments of `fields` around matches; their text is escaped."""
        highlight = {"encoder": "html", "highlight_query": self._match(), "fields": {field: {} for field in fields}}
        return documents.body(keys, _source=False, highlight=highlight)

    @property
    def searched_text(self) -> str:
        """The part of the text that BM25 uses."""
        return beginning(self.text, len(self.fields) + bool(self.path))

    def _match(self) -> dict[str, Any]:
        return {
            "multi_match": {
                "query": self.searched_text,
                "type": "best_fields",
                "tie_breaker": TIE_BREAKER,
                "fields": [f"{field}^{boost:g}" for field, boost in self.fields.items()],
            }
        }
