"""SearchRequest: all parameters of one search, validated before anything is sent."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from typing_extensions import Self

from hybridrank.common import json_values
from hybridrank.common.query_text import MAX_QUERY_CHARACTERS
from hybridrank.connector.engines.index_names import expression_problem
from hybridrank.connector.fusion import Fusion, Rrf
from hybridrank.connector.paging import Direction
from hybridrank.connector.queries.filters import Filter
from hybridrank.connector.types import DEFAULT_CHUNKS, MAX_CHUNKS
from hybridrank.ltr_features import FeatureSet
from hybridrank.ltr_features.text import Bm25, Phrase, Proximity

__all__ = ["FeatureRescore", "QueryRescore", "Rescore", "RetrieverName", "SearchRequest", "Stage"]

RetrieverName: TypeAlias = Literal["bm25", "knn"]

DEFAULT_TOTAL_HITS = 10_000
"""Matches counted by default, as on the servers, which then skip documents that cannot reach the window."""

_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class _Sendable(BaseModel):
    """A model whose texts and numbers can be sent to engine and sidecar, in any field."""

    @field_validator("*", mode="after")
    @classmethod
    def _can_be_sent(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name != "query_vector" and (found := json_values.problem(_plain(value))):
            raise ValueError(found)
        return value


class Rescore(_Sendable):
    """Text stage: a reranker of the sidecar scores the head of the ranking.

    `weight` blends: the final score is weight · z(rerank) + (1 − weight) · z(score before) over the window, so 1 is the
    rerank score alone. One half gives both equal influence (docs/results.md). `timeout_s` is the additional time of the
    stage after retrieval; when it has passed, the candidates scored so far come first and the others below them in
    fused order, or, without `allow_partial`, all are returned in fused order. `degraded` reports it.

    `fields` are the fields of a document that it reads, in order: by default the searched fields of the request, else
    those that the index was created with.

    A text longer than the model's input is read in up to `max_chunks` windows, and the best one counts: first one
    window of every candidate, then second ones in the remaining `timeout_s`, and so on. 1 reads only the beginning.
    `hit.scored_chunks` is the number of windows read.

    With `token_vectors` a late-interaction model scores the vectors that `hybridrank index --token-vectors` stored:
    this needs one more request to the engine, for the window alone, and only the query is encoded. If that is not
    possible, texts are scored.
    """

    model_config = _FROZEN

    model: str = Field(min_length=1)
    rescore_window_size: int = Field(50, ge=1, le=10_000)
    weight: float = Field(0.5, gt=0, le=1)
    timeout_s: float = Field(0.3, gt=0)
    allow_partial: bool = True
    fields: tuple[str, ...] = ()
    max_chunks: int = Field(DEFAULT_CHUNKS, ge=1, le=MAX_CHUNKS)
    token_vectors: bool = False


class FeatureRescore(_Sendable):
    """Feature stage: a lambdamart model of the sidecar scores the head of the ranking from features.

    The engine computes the features of all candidates in one request; `timeout_s` covers that and the scoring together.
    `feature_set` is the one that the model was trained on: the sidecar refuses another. The window should also be that
    of the training. `request` has values that only the caller knows, for features of kind `request`. `with_features`
    adds the values to the hits.

    Without a `model` the stage computes features and keeps the order: for logging the training data of a model.
    """

    model_config = _FROZEN

    feature_set: FeatureSet
    model: str = ""
    rescore_window_size: int = Field(50, ge=1, le=10_000)
    weight: float = Field(1.0, gt=0, le=1)
    timeout_s: float = Field(0.3, gt=0)
    request: Mapping[str, float] = Field(default_factory=dict)
    with_features: bool = False


class QueryRescore(BaseModel):
    """Engine stage: one more query of the text scores the head of the ranking. No sidecar needed.

    `by` is a feature that is a query: the text as a `phrase`, its words near each other (`proximity`), or `bm25` of
    other fields. A document without a match scores 0. It is one request, for the window alone, on any licence; so a
    query that would be too expensive for the whole index runs on few documents. `hit.rerank_scores` has it by the
    feature's name.
    """

    model_config = _FROZEN

    by: Annotated[Bm25 | Phrase | Proximity, Field(discriminator="kind")]
    rescore_window_size: int = Field(50, ge=1, le=10_000)
    weight: float = Field(0.2, gt=0, le=1)
    timeout_s: float = Field(0.3, gt=0)

    @property
    def model(self) -> str:
        """The name of the scores."""
        return self.by.name


Stage: TypeAlias = Rescore | FeatureRescore | QueryRescore


class SearchRequest(_Sendable):
    """One search.

    `index` may be an alias. `fields` are searched by BM25, name → boost; without them, those of the index. `filters`
    must all hold, for every retriever. `rank_window_size` is the number of candidates that each retriever gives to
    fusion: by default max(100, from + size), so that a page never needs more than was ranked. `rescore` is one stage or
    a cascade, each over the head that the previous one left. `encode_timeout_s` limits the query's encoding; without a
    vector the search is lexical only. `timeout_s` limits the whole search: each stage gets its own timeout or the
    remaining time, if that is less, and parts without time left are in `degraded`. `query_id` is the query's id in a
    feature log.

    With `strict`, faults that every such search meets (a misspelt field, a model that is not loaded, a vector of
    another length) raise Misconfigured; without it, and for temporary faults, the part is left out.

    `aggregations` are sent to the engine unchanged and count all documents that BM25 matches and the filters pass, not
    only the window. `highlight` names fields; each hit of the page gets their fragments around the query's words. With
    `collapse`, the name of a field, only the best hit of each of its values is kept. `sort`, name → "asc" or "desc",
    sorts the existing ranking, the window and not the index, by these fields. `profile` makes the engine report the
    time of each retriever, which costs time. `track_total_hits` is the maximum of matches that BM25 counts for `total`:
    True counts all, and False none.

    `vector_field` is the field that kNN compares; the default also covers the passages of an index that has them. If
    the engine rounds vectors, `oversample` times as many as wanted are rescored with full-precision vectors; without
    it, the engine's default applies.
    """

    model_config = _FROZEN | ConfigDict(populate_by_name=True, arbitrary_types_allowed=True)

    index: str = Field(min_length=1)
    query_text: str = Field(max_length=MAX_QUERY_CHARACTERS)
    query_vector: tuple[float, ...] | None = None
    retrievers: tuple[RetrieverName, ...] = Field(("bm25", "knn"), min_length=1)
    fields: Mapping[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    vector_field: str = Field("vector", min_length=1)
    oversample: float | None = Field(None, ge=1, lt=10)
    encoder: str = Field("encoder", min_length=1)
    encode_timeout_s: float = Field(0.3, gt=0)
    timeout_s: float | None = Field(None, gt=0)
    filters: tuple[Filter, ...] = ()
    fusion: Fusion = Rrf()
    rescore: Stage | tuple[Stage, ...] | None = None
    from_: int = Field(0, ge=0, alias="from")
    size: int = Field(10, ge=0, le=10_000)
    rank_window_size: int = Field(0, ge=0, le=10_000, validate_default=True)
    query_id: str | None = Field(None, min_length=1)
    aggregations: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    highlight: tuple[str, ...] = ()
    collapse: str | None = Field(None, min_length=1)
    sort: Mapping[str, Direction] = Field(default_factory=dict)
    track_total_hits: bool | Annotated[int, Field(ge=1, le=2_147_483_647)] = DEFAULT_TOTAL_HITS
    profile: bool = False
    strict: bool = False

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of `rescore`, in order."""
        if self.rescore is None:
            return ()
        return self.rescore if isinstance(self.rescore, tuple) else (self.rescore,)

    @property
    def reads_sources(self) -> bool:
        """True if the documents of the whole ranking are read, or most of them returned."""
        shows_most = 2 * self.size > self.rank_window_size * len(self.retrievers)
        return shows_most or bool(self.rescore or self.collapse or self.sort)

    @property
    def needs_vector(self) -> bool:
        """True if a retriever or a feature compares vectors."""
        sets = [stage.feature_set for stage in self.stages if isinstance(stage, FeatureRescore)]
        return "knn" in self.retrievers or any(
            feature.kind == "vector_similarity" for each in sets for feature in each.features
        )

    @field_validator("index")
    @classmethod
    def _can_be_searched(cls, index: str) -> str:
        if problem := expression_problem(index):
            raise ValueError(problem)
        return index

    @field_validator("query_text")
    @classmethod
    def _has_words(cls, query_text: str) -> str:
        if not query_text.strip():
            raise ValueError("is empty; a search needs words to look for")
        return query_text

    @field_validator("fusion")
    @classmethod
    def _weighs_retrievers(cls, fusion: Fusion) -> Fusion:
        if unknown := sorted(set(fusion.weights) - set(get_args(RetrieverName))):
            known = ", ".join(get_args(RetrieverName))
            raise ValueError(f"weighs {', '.join(unknown)}; the retrievers are {known}")
        return fusion

    @model_validator(mode="after")
    def _window_covers_the_page(self) -> Self:
        page_end = self.from_ + self.size
        if self.rank_window_size == 0:
            object.__setattr__(self, "rank_window_size", min(10_000, max(100, page_end)))
        return self


def _plain(value: Any) -> Any:
    """Returns filters as dicts of their fields."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
