"""SearchRequest: all parameters of one search, validated before anything is sent."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator
from typing_extensions import Self

from hybridrank.common.query_text import MAX_QUERY_CHARACTERS
from hybridrank.connector.arrangement import Direction
from hybridrank.connector.engines.documents import as_json
from hybridrank.connector.engines.index_names import expression_problem
from hybridrank.connector.fusion import Fusion, Rrf
from hybridrank.connector.queries.filters import Filter
from hybridrank.connector.queries.retrievers import RETRIEVERS
from hybridrank.connector.sendable import Sendable
from hybridrank.connector.stages import Stage
from hybridrank.index_templates.sparse import SPARSE

__all__ = ["RetrieverName", "SearchRequest"]


def _known(name: str) -> str:
    if name not in RETRIEVERS:
        raise ValueError(f"there is no retriever {name!r}; the retrievers are {', '.join(RETRIEVERS)}")
    return name


RetrieverName: TypeAlias = Annotated[str, AfterValidator(_known)]
"""Name of a retriever in `RETRIEVERS`."""

DEFAULT_TOTAL_HITS = 10_000
"""Matches counted by default, as on the servers, which then skip documents that cannot reach the window."""


class SearchRequest(Sendable):
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

    The retriever `sparse` compares the query's vector by `sparse_encoder` with those in `sparse_field`. `vector_field`
    is the field that kNN compares; the default also covers the passages of an index that has them. If
    the engine rounds vectors, `oversample` times as many as wanted are rescored with full-precision vectors; without
    it, the engine's default applies.
    """

    model_config = ConfigDict(populate_by_name=True, arbitrary_types_allowed=True)

    index: str = Field(min_length=1)
    query_text: str = Field(max_length=MAX_QUERY_CHARACTERS)
    query_vector: tuple[float, ...] | None = None
    retrievers: tuple[RetrieverName, ...] = Field(("bm25", "knn"), min_length=1)
    fields: Mapping[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    vector_field: str = Field("vector", min_length=1)
    oversample: float | None = Field(None, ge=1, lt=10)
    encoder: str = Field("encoder", min_length=1)
    sparse_field: str = Field(SPARSE, min_length=1)
    sparse_encoder: str = Field("splade", min_length=1)
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
        return shows_most or bool(self.collapse or self.sort) or any(stage.needs_sources for stage in self.stages)

    @property
    def needs_vector(self) -> bool:
        """True if a retriever or a stage compares vectors."""
        return any(each.needs_vector for each in (*map(RETRIEVERS.__getitem__, self.retrievers), *self.stages))

    @property
    def needs_sparse(self) -> bool:
        """True if a retriever compares sparse vectors."""
        return any(RETRIEVERS[name].needs_sparse for name in self.retrievers)

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

    @field_validator("aggregations")
    @classmethod
    def _is_json(cls, aggregations: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        as_json(aggregations)
        return aggregations

    @field_validator("fusion")
    @classmethod
    def _weighs_retrievers(cls, fusion: Fusion) -> Fusion:
        if unknown := sorted(set(fusion.weights) - set(RETRIEVERS)):
            raise ValueError(f"weighs {', '.join(unknown)}; the retrievers are {', '.join(RETRIEVERS)}")
        return fusion

    @model_validator(mode="after")
    def _window_covers_the_page(self) -> Self:
        page_end = self.from_ + self.size
        if self.rank_window_size == 0:
            object.__setattr__(self, "rank_window_size", min(10_000, max(100, page_end)))
        return self
