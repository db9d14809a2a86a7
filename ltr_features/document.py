"""Features of a document itself: its numbers, dates, lengths, and its vector beside the query's."""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from statistics import fmean
from typing import Any, Literal

from ltr_features.base import MISSING, BaseFeature
from ltr_features.values import Dialect, FeatureQuery, Seen

__all__ = ["Age", "FieldLength", "Number", "VectorSimilarity"]

_MODES: dict[str, Callable[[Iterable[float]], float]] = {"min": min, "max": max, "sum": math.fsum, "mean": fmean}
_DAY_MS = 24 * 60 * 60 * 1000


class Number(BaseFeature):
    """A numeric field: a price, a page's authority, a click rate. Of several values, the one that `mode` makes."""

    kind: Literal["number"]
    field: str
    mode: Literal["min", "max", "sum", "mean"] = "max"

    def docvalues(self) -> tuple[dict[str, str], ...]:
        """The field."""
        return ({"field": self.field},)

    def raw(self, seen: Seen) -> float:
        """As stored; NaN when the document has none."""
        values = seen.hit.get("fields", {}).get(self.field)
        return float(_MODES[self.mode](map(float, values))) if values else MISSING


class Age(BaseFeature):
    """Days from a date field to now, negative for the future. Of several dates, the latest."""

    kind: Literal["age"]
    field: str

    def docvalues(self) -> tuple[dict[str, str], ...]:
        """The field, as milliseconds since 1970."""
        return ({"field": self.field, "format": "epoch_millis"},)

    def raw(self, seen: Seen) -> float:
        """In days; NaN when the document has no date."""
        values = seen.hit.get("fields", {}).get(self.field)
        now = seen.query.now or datetime.now(timezone.utc)
        return (now.timestamp() * 1000 - max(map(float, values))) / _DAY_MS if values else MISSING


class FieldLength(BaseFeature):
    """How many words a text field has, counted in the stored document: no mapping is needed for it."""

    kind: Literal["field_length"]
    field: str

    def source_fields(self) -> tuple[str, ...]:
        """The field."""
        return (self.field,)

    def raw(self, seen: Seen) -> float:
        """0 for an empty or absent text."""
        if not seen.hit:
            return MISSING
        value: Any = seen.hit.get("_source", {})
        for part in self.field.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        texts = value if isinstance(value, list) else [value]
        return float(sum(len(text.split()) for text in texts if isinstance(text, str)))


class VectorSimilarity(BaseFeature):
    """Cosine of the query's vector and a vector field, for every candidate, whichever retriever found it.

    NaN without a query vector, or where the document has none.
    """

    kind: Literal["vector_similarity"]
    field: str

    def clause(self, query: FeatureQuery, doc_ids: Sequence[str], dialect: Dialect) -> dict[str, Any] | None:
        """The nearest among the candidates alone; the engines compute so few exactly."""
        if query.vector is None:
            return None
        only = {"ids": {"values": list(doc_ids)}}
        if dialect == "opensearch":
            return {"knn": {self.field: {"vector": list(query.vector), "k": len(doc_ids), "filter": only}}}
        size = {"k": len(doc_ids), "num_candidates": len(doc_ids)}
        return {"knn": {"field": self.field, "query_vector": list(query.vector), **size, "filter": only}}

    def raw(self, seen: Seen) -> float:
        """In [-1, 1]; both engines score (1 + cosine) / 2."""
        return 2 * self.score(seen) - 1
