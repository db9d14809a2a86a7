"""Base class of retrievers: from the request to a body for servers, or to scores in the embedded engine."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from typing_extensions import Self

from hybridrank.connector.errors import EngineError
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.queries.filters import Filter
from hybridrank.connector.types import Encoding
from hybridrank.index_templates import HEAVY_FIELDS, EncoderNote

__all__ = ["Dialect", "Matches", "Query", "Reader", "Request", "excluded", "shared"]


class Request(Protocol):
    """The parts of a `SearchRequest` that retrievers read."""

    @property
    def query_text(self) -> str:
        """The text."""
        ...

    @property
    def fields(self) -> Mapping[str, float]:
        """The fields that BM25 searches, by boost; empty for those of the index."""
        ...

    @property
    def vector_field(self) -> str:
        """The field that kNN compares."""
        ...

    @property
    def sparse_field(self) -> str:
        """The field of sparse vectors."""
        ...

    @property
    def oversample(self) -> float | None:
        """The oversampling of rounded vectors, None for the default of the engine."""
        ...

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The filters, for every retriever."""
        ...

    @property
    def rank_window_size(self) -> int:
        """The number of candidates of each retriever."""
        ...

    @property
    def track_total_hits(self) -> bool | int:
        """The maximum of counted matches."""
        ...

    @property
    def profile(self) -> bool:
        """True if the engine should report its own time profile."""
        ...

    @property
    def reads_sources(self) -> bool:
        """True if hits should include their documents."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parts of a query language that servers do not share.

    `knn` builds the clause of a KnnQuery, `sparse` that of a SparseQuery without its filters.
    """

    name: str
    knn: Callable[[Any], dict[str, Any]]
    sparse: Callable[[Any], dict[str, Any]]


class Matches(NamedTuple):
    """Score of each matching document by its ordinal, and the exact number of matches if it was requested."""

    scores: Mapping[int, float]
    total: int | None = None


class Reader(Protocol):
    """An index in the embedded engine: documents with ordinals from 0. `bm25`, `knn` and `sparse` run these queries."""

    @property
    def sources(self) -> Sequence[Mapping[str, Any]]:
        """The documents, by ordinal."""
        ...

    def passing_ordinals(self, filters: Sequence[Filter]) -> list[int]:
        """Returns the documents that pass all filters."""
        ...

    def words(self, field: str, text: str) -> list[str]:
        """Returns the words of a text as a text field holds them; none for a field of another kind."""
        ...

    def bm25(self, query: Any) -> Matches:
        """Returns the matches of a Bm25Query."""
        ...

    def knn(self, query: Any) -> Matches:
        """Returns the nearest documents of a KnnQuery."""
        ...

    def sparse(self, query: Any) -> Matches:
        """Returns the matches of a SparseQuery."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(ABC):
    """One retriever's query for `rank_window_size` candidates. Subclasses are frozen dataclasses.

    `name` is its name in requests, files and answers. One that `needs_vector` or `needs_sparse` is left out if
    the query has no such vector.

    `source_excludes` names large fields that hits leave out. `path` is the nested field whose best passage each hit
    includes. Without `with_sources` the ranking has only ids and scores.
    """

    name: ClassVar[str]
    needs_vector: ClassVar[bool] = False
    needs_sparse: ClassVar[bool] = False

    rank_window_size: int
    filters: tuple[Filter, ...] = ()
    source_excludes: tuple[str, ...] = ()
    profile: bool = False
    path: str = ""
    with_sources: bool = True

    @classmethod
    @abstractmethod
    def of(cls, request: Request, encoding: Encoding | None) -> Self:
        """Returns the query of a request. `encoding` is the query's vector, or its sparse one, if it needs one."""

    @abstractmethod
    def clause(self, dialect: Dialect) -> dict[str, Any]:
        """Returns the query clause of the servers, with the filters. Raises EngineError if a server has none."""

    def matches(self, reader: Reader) -> Matches:  # noqa: ARG002
        """Returns the matches in the embedded engine that pass the filters. Raises EngineError if it has none."""
        raise EngineError(
            f"the embedded engine has no retriever {self.name!r}; OpenSearch and Elasticsearch have it",
            reason="unsupported",
        )

    def fitted(self, fields: Fields) -> Self:  # noqa: ARG002
        """Returns the query with what it takes from the index, such as its fields and boosts."""
        return self

    def searched(self, fields: Fields) -> Sequence[str]:  # noqa: ARG002
        """Returns the fields that the index must have, besides those of the filters."""
        return ()

    def mismatch(self, index: str, fields: Fields) -> str:  # noqa: ARG002
        """Returns a sentence on what else does not fit the index; empty if all fits."""
        return ""

    @property
    def compared(self) -> tuple[str, EncoderNote | None]:
        """The field of vectors that it compares, empty if none, and the encoder of the query's vector, if known."""
        return "", None

    def more(self) -> dict[str, Any]:
        """Returns further keys of the body."""
        return {}

    def body(self, dialect: Dialect) -> dict[str, Any]:
        """Returns the search of this query alone."""
        return {
            "query": self.clause(dialect),
            "size": self.rank_window_size,
            "track_total_hits": False,
            "_source": {"excludes": list(self.source_excludes)} if self.with_sources else False,
            **({"profile": True} if self.profile else {}),
            **self.more(),
        }


def shared(request: Request) -> dict[str, Any]:
    """Returns the arguments that every retriever's query takes from the request."""
    return {
        "rank_window_size": request.rank_window_size,
        "filters": request.filters,
        "source_excludes": excluded(request),
        "profile": request.profile,
        "with_sources": request.reads_sources,
    }


def excluded(request: Request) -> tuple[str, ...]:
    """Returns the fields that hits do not include."""
    return tuple(dict.fromkeys((*HEAVY_FIELDS, request.vector_field, request.sparse_field)))
