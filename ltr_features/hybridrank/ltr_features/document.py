"""Features of a document itself: its numbers, dates, lengths, and its vector beside the query's."""

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timezone
from statistics import fmean
from typing import Any, Literal

from hybridrank.ltr_features.base import MISSING, BaseFeature
from hybridrank.ltr_features.transforms import Direction
from hybridrank.ltr_features.values import Among, Dialect, FeatureQuery, Seen

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
        """As indexed; NaN when the document has none, and for what is no number."""
        values = _read(seen, self.field, float)
        return float(_MODES[self.mode](values)) if values else MISSING


class Age(BaseFeature):
    """Days from a date field to now, negative for the future. Of several dates, the latest.

    Dates in ISO 8601 are read from a `date` or a `keyword` field, milliseconds since 1970 from a number. For a `date`
    field that is mapped with a format of its own, say `format: epoch_millis`.
    """

    kind: Literal["age"]
    field: str
    format: str = ""

    def docvalues(self) -> tuple[dict[str, str], ...]:
        """The field, as the index writes it or in the `format`."""
        return ({"field": self.field} | ({"format": self.format} if self.format else {}),)

    def raw(self, seen: Seen) -> float:
        """In days; NaN when the document has none, and for what is no date."""
        values = _read(seen, self.field, _epoch_millis)
        now = seen.query.now or datetime.now(timezone.utc)
        return (now.timestamp() * 1000 - max(values)) / _DAY_MS if values else MISSING


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

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any] | None:
        """The nearest among the candidates alone; the engines compute so few exactly."""
        if query.vector is None:
            return None
        vector = list(query.vector)
        if dialect == "opensearch":
            return {"knn": {self.field: {"vector": vector, "k": among.count, "filter": among.clause}}}
        size = {"k": among.count, "num_candidates": among.count}
        return {"knn": {"field": self.field, "query_vector": vector, **size, "filter": among.clause}}

    @property
    def evidence(self) -> Direction:
        """The nearer, the better."""
        return 1

    def raw(self, seen: Seen) -> float:
        """In [-1, 1]; both engines score (1 + cosine) / 2."""
        return 2 * self.score(seen) - 1


def _read(seen: Seen, field: str, read: Callable[[Any], float]) -> list[float]:
    """The doc values of a field that can be read; one odd document must not cost a search its features."""
    found = []
    for value in seen.hit.get("fields", {}).get(field, ()):
        with suppress(ValueError, TypeError):
            found.append(read(value))
    return found


def _epoch_millis(value: Any) -> float:
    """Of a number, the digits of one, or a date in ISO 8601, which is in UTC unless it says otherwise."""
    try:
        return float(value)
    except ValueError:
        date = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() * 1000
