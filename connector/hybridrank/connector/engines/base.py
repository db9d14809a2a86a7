"""The protocol of an engine."""

# ruff: noqa: ARG002 (a method that an engine does not have only raises)

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, cast

from hybridrank.connector.engines.documents import IndexReport
from hybridrank.connector.errors import EngineError
from hybridrank.connector.fusion import Fusion
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.queries.retrievers import Bm25Query, Query
from hybridrank.connector.types import Document, DocumentKey, EngineInfo, Retrieved
from hybridrank.index_templates import EncoderNote, IndexDefinition
from hybridrank.ltr_features import FeatureQuery, FeatureSet

__all__ = ["Api", "Engine", "RestApi", "rest_api"]

Api: TypeAlias = Literal["rest", "ml_commons", "inference"]
"""An API that an engine has beyond this protocol: REST, as OpenSearch and Elasticsearch have it, with index settings
and aliases; the models and search pipelines of OpenSearch; the inference endpoints of Elasticsearch.
"""


class Engine(Protocol):
    """A search engine: OpenSearch, Elasticsearch, or the embedded one. `tests/contracts/engine.py` defines it.

    A method that a subclass does not define raises EngineError with reason "unsupported".
    """

    apis: ClassVar[frozenset[Api]] = frozenset()

    async def retrieve(self, index: str, queries: Mapping[str, Query]) -> dict[str, Retrieved | EngineError]:
        """Returns one ranking per query, in one round trip; a failed query gets its error instead of a ranking.

        Rankings have at most `rank_window_size` candidates over all shards, ties in the order of index and doc_id, each
        with its concrete index. The engine chooses which of several tied documents are in a full window. Raises
        EngineError if the engine as a whole did not answer.
        """
        raise _unsupported(self, "retrievers")

    async def retrieve_fused(self, index: str, queries: Mapping[str, Query], fusion: Fusion) -> Retrieved:
        """Returns one ranking of all queries, fused by the engine itself in one search; its scores are fused scores.

        It has at most `rank_window_size` candidates. Raises EngineError, with reason "not_native" if the engine has no
        such fusion or computes it differently from `fusion`.
        """
        raise EngineError(f"{self!r} leaves fusion to the client", reason="not_native")

    async def sources(
        self, index: str, keys: Sequence[DocumentKey], source_excludes: Sequence[str]
    ) -> Mapping[DocumentKey, Mapping[str, Any]]:
        """Returns the stored fields of the existing documents. Raises EngineError.

        Here and below, `index` is the searched name (possibly an alias) and a key has the concrete index.
        """
        raise _unsupported(self, "stored fields")

    async def fields_of(self, index: str) -> Fields:
        """Returns the cached result of `fields`: a search must not request it each time.

        Raises EngineError, IndexMissing if there is no such index.
        """
        raise _unsupported(self, "list of fields")

    async def highlight(
        self, index: str, query: Bm25Query, names: Sequence[str], keys: Sequence[DocumentKey]
    ) -> Mapping[DocumentKey, Mapping[str, tuple[str, ...]]]:
        """Returns fragments of the named fields by document and field: HTML, with `<em>` around the words of `query`.

        Raises EngineError.
        """
        raise _unsupported(self, "highlights")

    async def extract(
        self, index: str, feature_set: FeatureSet, query: FeatureQuery, keys: Sequence[DocumentKey]
    ) -> Mapping[str, Any]:
        """Returns the answer from which `hybridrank.ltr_features.matrix` reads the features, in one round trip.

        Raises EngineError, also for a field that is not in the index and if a shard failed: such values must not look
        as if the documents had none.
        """
        raise _unsupported(self, "features")

    async def indices(self, index: str) -> tuple[str, ...]:
        """Returns the concrete indices of a name, an alias, a pattern or a data stream, in alphabetical order.

        Raises IndexMissing.
        """
        raise _unsupported(self, "names of indices")

    async def plan_index(self, index: str, definition: IndexDefinition) -> tuple[str, ...]:
        """Returns the changes of `create_index` as diff lines; empty if there are none. Raises the same errors."""
        raise _unsupported(self, "plan of an index")

    async def create_index(self, index: str, definition: IndexDefinition) -> bool:
        """Creates the index; returns False if it already exists.

        Raises EngineError if its vectors have another length or another encoder.
        """
        raise _unsupported(self, "creation of indices")

    async def check_writable(self, index: str) -> None:
        """Checks that the index accepts documents; writes and creates nothing.

        Raises EngineError with reason "not_writable" if it accepts none, and IndexMissing.
        """
        raise _unsupported(self, "writing of documents")

    async def index_documents(self, index: str, documents: Sequence[Document]) -> IndexReport:
        """Writes documents, replacing those with the same id; searches see them after `refresh`.

        A document that the index refuses is rejected by name, and the others are written. Raises EngineError if the
        index accepts none.
        """
        raise _unsupported(self, "writing of documents")

    async def fields(self, index: str) -> Fields:
        """Returns the fields of the index, and its notes on them, such as the encoder of its vectors.

        Raises EngineError, IndexMissing if there is no such index.
        """
        raise _unsupported(self, "list of fields")

    async def note_encoder(self, index: str, paths: Sequence[str], encoder: EncoderNote) -> None:
        """Notes in the index which encoder made the vectors of these fields. Raises EngineError."""
        raise _unsupported(self, "notes on encoders")

    async def stored_digests(self, index: str, doc_ids: Sequence[str]) -> Mapping[str, str]:
        """Returns the `content_digest` of the stored documents, by doc_id."""
        raise _unsupported(self, "stored digests")

    async def stored_token_vectors(self, index: str, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, bytes]:
        """Returns the packed token vectors of the documents that have them, in one round trip.

        Raises EngineError, also if a shard failed.
        """
        raise _unsupported(self, "stored token vectors")

    async def refresh(self, index: str) -> int:
        """Makes everything written so far searchable; returns the number of documents in the index."""
        raise _unsupported(self, "writing of documents")

    async def delete_index(self, index: str) -> bool:
        """Deletes the index; returns False if there is none."""
        raise _unsupported(self, "deletion of indices")

    async def info(self) -> EngineInfo:
        """Identifies the engine. Raises EngineUnreachable with the host and the cause."""
        raise _unsupported(self, "version")

    async def close(self) -> None:
        """Closes the connections."""


def _unsupported(engine: Engine, what: str) -> EngineError:
    return EngineError(f"{engine!r} has no {what}", reason="unsupported")


class RestApi(Protocol):
    """A server that takes requests to its own REST API, for which `Engine` has no methods."""

    @property
    def name(self) -> str:
        """The kind of server: "opensearch" or "elasticsearch"."""
        ...

    @property
    def url(self) -> str:
        """The address, without credentials."""
        ...

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Sends one request. Raises EngineError."""
        ...

    async def described(self, index: str, part: Literal["", "_mapping", "_settings"] = "") -> dict[str, Any]:
        """Returns the server's description of each index of `index`, or one part of it. Raises IndexMissing."""
        ...

    async def template(self, index: str) -> Mapping[str, Any] | None:
        """Returns our part of the index template that `create_index` makes; None if there is none."""
        ...

    async def info(self) -> EngineInfo:
        """Returns the version, and the analysis capabilities."""
        ...


def rest_api(engine: Engine) -> RestApi:
    """Returns the engine for requests to its REST API. Raises EngineError if it has none."""
    if "rest" not in engine.apis:
        raise EngineError(f"{engine!r} has no REST API; name a cluster", reason="unsupported")
    return cast("RestApi", engine)
