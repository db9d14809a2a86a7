"""Features of the document itself: numbers, dates, lengths, and the similarity of its vector to the query's."""

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timezone
from statistics import fmean
from typing import Any, Literal

from hybridrank.common.field_paths import field_values
from hybridrank.ltr_features.base import MISSING, BaseFeature
from hybridrank.ltr_features.transforms import Direction
from hybridrank.ltr_features.values import Among, Dialect, FeatureQuery, Seen

__all__ = ["Age", "FieldLength", "Number", "VectorSimilarity"]

_MODES: dict[str, Callable[[Iterable[float]], float]] = {"min": min, "max": max, "sum": math.fsum, "mean": fmean}
_DAY_MS = 24 * 60 * 60 * 1000


class Number(BaseFeature):
    """A numeric field: a price, a page's authority, a click rate. `mode` reduces several values to one."""

    kind: Literal["number"]
    field: str
    mode: Literal["min", "max", "sum", "mean"] = "max"

    def docvalues(self) -> tuple[dict[str, str], ...]:
        """The field to fetch."""
        return ({"field": self.field},)

    def raw(self, seen: Seen) -> float:
        """Returns the indexed value; NaN if the document has none or it is not a number."""
        values = _read(seen, self.field, float)
        return float(_MODES[self.mode](values)) if values else MISSING


class Age(BaseFeature):
    """Days from a date field to now, negative for the future. The latest of several dates counts.

    Dates in ISO 8601 are read from a `date` or a `keyword` field, milliseconds since 1970 from a number. For a `date`
    field with its own format in the mapping, set `format: epoch_millis`.
    """

    kind: Literal["age"]
    field: str
    format: str = ""

    def docvalues(self) -> tuple[dict[str, str], ...]:
        """The field to fetch, as the index formats it or in `format`."""
        return ({"field": self.field} | ({"format": self.format} if self.format else {}),)

    def raw(self, seen: Seen) -> float:
        """Returns days; NaN if the document has none or it is not a date."""
        values = _read(seen, self.field, _epoch_millis)
        now = seen.query.now or datetime.now(timezone.utc)
        return (now.timestamp() * 1000 - max(values)) / _DAY_MS if values else MISSING


class FieldLength(BaseFeature):
    """Number of words in a text field, counted in the stored document, so it needs no mapping."""

    kind: Literal["field_length"]
    field: str

    def source_fields(self) -> tuple[str, ...]:
        """The field to fetch."""
        return (self.field,)

    def raw(self, seen: Seen) -> float:
        """Returns the number of words; 0 for an empty or absent text."""
        if not seen.hit:
            return MISSING
        values = field_values(seen.hit.get("_source", {}), self.field)
        return float(sum(len(text.split()) for text in values if isinstance(text, str)))


class VectorSimilarity(BaseFeature):
    """Cosine of the query's vector and a vector field, for every candidate of any retriever.

    NaN without a query vector or without a document vector.
    """

    kind: Literal["vector_similarity"]
    field: str

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any] | None:
        """Returns a kNN clause over the candidates alone; the engines compute so few exactly."""
        if query.vector is None:
            return None
        vector = list(query.vector)
        if dialect == "opensearch":
            return {"knn": {self.field: {"vector": vector, "k": among.count, "filter": among.clause}}}
        size = {"k": among.count, "num_candidates": among.count}
        return {"knn": {"field": self.field, "query_vector": vector, **size, "filter": among.clause}}

    @property
    def evidence(self) -> Direction:
        """Always 1: higher means nearer."""
        return 1

    def raw(self, seen: Seen) -> float:
        """Returns the cosine in [-1, 1]; both engines score (1 + cosine) / 2."""
        return 2 * self.score(seen) - 1


def _read(seen: Seen, field: str, read: Callable[[Any], float]) -> list[float]:
    """Returns the readable doc values of a field; one odd document must not cost a search its features."""
    found = []
    for value in seen.hit.get("fields", {}).get(field, ()):
        with suppress(ValueError, TypeError):
            found.append(read(value))
    return found


def _epoch_millis(value: Any) -> float:
    """Converts a number, a string of digits, or an ISO 8601 date, which is in UTC unless it has an offset."""
    try:
        return float(value)
    except ValueError:
        date = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() * 1000
