"""Features that compare query words with a document's text; the engine computes them in one request."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from hybridrank.ltr_features.base import MISSING, BaseFeature, words
from hybridrank.ltr_features.transforms import Direction
from hybridrank.ltr_features.values import Among, Dialect, FeatureQuery, Seen

__all__ = ["Bm25", "Coverage", "Idf", "Phrase", "Proximity"]


class Bm25(BaseFeature):
    """BM25 of the query against a field, or against several: the `best` score, or the `sum` of all.

    Robertson & Zaragoza 2009, with the k1, b and analysis of the index, over the statistics of the candidate's shard.
    NaN if no word matched. Elasticsearch and OpenSearch 2 return k1 + 1 times the value of OpenSearch 3.
    """

    kind: Literal["bm25"]
    fields: tuple[str, ...] = Field(min_length=1)
    combine: Literal["sum", "best"] = "sum"

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any]:  # noqa: ARG002
        """Returns a `match`, or a `multi_match`."""
        if len(self.fields) == 1:
            return {"match": {self.fields[0]: {"query": query.text}}}
        kind = "most_fields" if self.combine == "sum" else "best_fields"
        return {"multi_match": {"query": query.text, "fields": list(self.fields), "type": kind}}

    @property
    def clauses_per_word(self) -> int:
        """One per field."""
        return len(self.fields)

    @property
    def evidence(self) -> Direction:
        """Always 1: a higher score means more about the query."""
        return 1

    def raw(self, seen: Seen) -> float:
        """Returns a value in (0, inf)."""
        return self.score(seen)


class Phrase(BaseFeature):
    """BM25 of the query as one phrase; with `slop`, its words may be that many moves apart. NaN without a match."""

    kind: Literal["phrase"]
    field: str
    slop: int = Field(0, ge=0, le=100)

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any]:  # noqa: ARG002
        """Returns a `match_phrase`."""
        return {"match_phrase": {self.field: {"query": query.text, "slop": self.slop}}}

    @property
    def evidence(self) -> Direction:
        """Always 1: a higher score means more about the query."""
        return 1

    def raw(self, seen: Seen) -> float:
        """Returns a value in (0, inf)."""
        return self.score(seen)


class Proximity(BaseFeature):
    """Closeness of all query words in the text, in any order, with at most `max_gaps` other words among them.

    The score of an `intervals` query grows with the number of such places and falls with their width. NaN: no such
    place. The embedded engine has no such query, so its value is always unknown.
    """

    kind: Literal["proximity"]
    field: str
    max_gaps: int = Field(8, ge=0, le=1000)

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any]:  # noqa: ARG002
        """Returns an `intervals` query."""
        return {"intervals": {self.field: {"match": {"query": query.text, "max_gaps": self.max_gaps}}}}

    @property
    def evidence(self) -> Direction:
        """Always 1: a higher score means closer together."""
        return 1

    def raw(self, seen: Seen) -> float:
        """Returns a value in (0, 1)."""
        return self.score(seen)


class Coverage(BaseFeature):
    """The share of the query's different words that the field contains; with `count`, their number.

    A word that the index does not keep, such as a stop word, counts as absent. 0 if no word is present.
    """

    kind: Literal["coverage"]
    field: str
    count: bool = False

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any] | None:  # noqa: ARG002
        """Returns a constant-score clause for each word."""
        matches = [{"match": {self.field: {"query": word}}} for word in words(query.text)]
        each = [{"constant_score": {"filter": match, "boost": 1.0}} for match in matches]
        return {"bool": {"should": each}} if each else None

    @property
    def evidence(self) -> Direction:
        """Always 1: more words are better."""
        return 1

    def raw(self, seen: Seen) -> float:
        """Returns a value in [0, 1], or the count."""
        asked = len(words(seen.query.text))
        if not seen.hit or not asked:
            return MISSING
        found = self.score(seen)
        return 0.0 if math.isnan(found) else found if self.count else found / asked


class Idf(BaseFeature):
    """Rarity of the query's words in a field: the sum, maximum or mean of ln(1 + (N − n + 0.5) / (n + 0.5)).

    The index has N documents, and n of them contain the word (Lucene's BM25). A word that no document contains, such as
    a stop word, is left out: it says nothing about the documents. The value is the same for all candidates of a query.
    """

    kind: Literal["idf"]
    field: str
    combine: Literal["sum", "max", "mean"] = "sum"

    def aggregations(self, query: FeatureQuery) -> Mapping[str, Any]:
        """Returns counts over the whole index, independent of the candidates."""
        counts = {str(place): {"filter": {"match": {self.field: word}}} for place, word in enumerate(words(query.text))}
        return {self.name: {"global": {}, "aggs": counts}} if counts else {}

    def raw(self, seen: Seen) -> float:
        """Returns 0 or more; 0 if no document contains a word of the query."""
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
