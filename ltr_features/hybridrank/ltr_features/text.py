"""Features of query words against a document's text, computed by the engine while it answers one request."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from hybridrank.ltr_features.base import MISSING, BaseFeature, words
from hybridrank.ltr_features.transforms import Direction
from hybridrank.ltr_features.values import Among, Dialect, FeatureQuery, Seen

__all__ = ["Bm25", "Coverage", "Idf", "Phrase", "Proximity"]


class Bm25(BaseFeature):
    """BM25 of the query against a field, or against several: the `best` one's, or the `sum` of all.

    Robertson & Zaragoza 2009, with the k1, b and analysis of the index, over the statistics of the candidate's shard.
    NaN where no word matched. Elasticsearch and OpenSearch 2 give k1 + 1 times what OpenSearch 3 gives.
    """

    kind: Literal["bm25"]
    fields: tuple[str, ...] = Field(min_length=1)
    combine: Literal["sum", "best"] = "sum"

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any]:  # noqa: ARG002
        """A `match`, or a `multi_match`."""
        if len(self.fields) == 1:
            return {"match": {self.fields[0]: {"query": query.text}}}
        kind = "most_fields" if self.combine == "sum" else "best_fields"
        return {"multi_match": {"query": query.text, "fields": list(self.fields), "type": kind}}

    @property
    def clauses_per_word(self) -> int:
        """One a field."""
        return len(self.fields)

    @property
    def evidence(self) -> Direction:
        """The higher, the more it is about the query."""
        return 1

    def raw(self, seen: Seen) -> float:
        """In (0, inf)."""
        return self.score(seen)


class Phrase(BaseFeature):
    """BM25 of the query as one phrase; with `slop`, its words may be so many moves apart. NaN where it is not."""

    kind: Literal["phrase"]
    field: str
    slop: int = Field(0, ge=0, le=100)

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any]:  # noqa: ARG002
        """A `match_phrase`."""
        return {"match_phrase": {self.field: {"query": query.text, "slop": self.slop}}}

    @property
    def evidence(self) -> Direction:
        """The higher, the more it is about the query."""
        return 1

    def raw(self, seen: Seen) -> float:
        """In (0, inf)."""
        return self.score(seen)


class Proximity(BaseFeature):
    """How close together all words of the query stand, in any order, with at most `max_gaps` others among them.

    The score of an `intervals` query grows with the number of such places and falls with their width. NaN: no place.
    The embedded engine has no such query and knows no value.
    """

    kind: Literal["proximity"]
    field: str
    max_gaps: int = Field(8, ge=0, le=1000)

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any]:  # noqa: ARG002
        """An `intervals` query."""
        return {"intervals": {self.field: {"match": {"query": query.text, "max_gaps": self.max_gaps}}}}

    @property
    def evidence(self) -> Direction:
        """The higher, the closer they stand."""
        return 1

    def raw(self, seen: Seen) -> float:
        """In (0, 1)."""
        return self.score(seen)


class Coverage(BaseFeature):
    """The share of the query's different words that the field holds; with `count`, how many it holds.

    A word that the index does not keep, a stop word, counts as one that is not there. 0 when none is.
    """

    kind: Literal["coverage"]
    field: str
    count: bool = False

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any] | None:  # noqa: ARG002
        """A constant for each word."""
        matches = [{"match": {self.field: {"query": word}}} for word in words(query.text)]
        each = [{"constant_score": {"filter": match, "boost": 1.0}} for match in matches]
        return {"bool": {"should": each}} if each else None

    @property
    def evidence(self) -> Direction:
        """The more words, the better."""
        return 1

    def raw(self, seen: Seen) -> float:
        """In [0, 1], or the count."""
        asked = len(words(seen.query.text))
        if not seen.hit or not asked:
            return MISSING
        found = self.score(seen)
        return 0.0 if math.isnan(found) else found if self.count else found / asked


class Idf(BaseFeature):
    """How rare the query's words are in a field: the sum, maximum or mean of ln(1 + (N − n + 0.5) / (n + 0.5)).

    N documents are in the index and n hold the word (Lucene's BM25). A word that none holds, as a stop word, is left
    out: it tells nothing of the documents. It is the same for all candidates of a query.
    """

    kind: Literal["idf"]
    field: str
    combine: Literal["sum", "max", "mean"] = "sum"

    def aggregations(self, query: FeatureQuery) -> Mapping[str, Any]:
        """Counts over the whole index, whatever the candidates are."""
        counts = {str(place): {"filter": {"match": {self.field: word}}} for place, word in enumerate(words(query.text))}
        return {self.name: {"global": {}, "aggs": counts}} if counts else {}

    def raw(self, seen: Seen) -> float:
        """From 0 on; 0 when no document holds a word of the query."""
        answer = seen.aggregations.get(self.name)
        if answer is None:
            return MISSING
        documents = answer["doc_count"]
        held = [answer[str(place)]["doc_count"] for place in range(len(words(seen.query.text)))]
        idfs = [math.log(1 + (documents - each + 0.5) / (each + 0.5)) for each in held if each]
        total = math.fsum(idfs)
        return (
            total
            if self.combine == "sum"
            else max(idfs, default=0.0)
            if self.combine == "max"
            else total / max(1, len(idfs))
        )
