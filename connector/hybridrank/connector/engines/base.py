"""The protocols of an engine: one for searching and one for indexing."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from hybridrank.common import json_values
from hybridrank.connector.errors import EngineError
from hybridrank.connector.fusion import Fusion
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.queries.retrievers import Bm25Query, Query
from hybridrank.connector.types import Document, DocumentKey, EngineInfo, Retrieved, Vector
from hybridrank.index_templates import EncoderNote, IndexDefinition
from hybridrank.ltr_features import FeatureQuery, FeatureSet

__all__ = [
    "MAX_ID_BYTES",
    "Engine",
    "IndexReport",
    "RejectedDocument",
    "as_json",
    "document_problem",
    "fitting",
    "id_problem",
]

_FLOAT32_MAX = 3.4028234663852886e38
MAX_ID_BYTES = 512
"""Maximum bytes of an id in UTF-8: the limit of both servers, so that an index can move between engines.
"""


@dataclass(frozen=True, slots=True)
class RejectedDocument:
    """A document that the engine refused, with the reason."""

    doc_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Result of writing a batch of documents."""

    indexed: int
    rejected: tuple[RejectedDocument, ...] = ()


def id_problem(doc_id: str) -> str:
    """Returns a sentence on why no engine accepts this id; empty if all do.

    >>> id_problem("é" * 257)
    'the id has 514 bytes in UTF-8, and engines take 512'
    """
    try:
        size = len(doc_id.encode())
    except UnicodeEncodeError:
        return "the id holds half of a surrogate pair, which is no character"
    if not size:
        return "the id is empty"
    return f"the id has {size} bytes in UTF-8, and engines take {MAX_ID_BYTES}" if size > MAX_ID_BYTES else ""


def document_problem(document: Document) -> str:
    """Returns a sentence on why no engine accepts this document, with the field or vector; empty if all do."""
    problem = id_problem(document.doc_id) or json_values.problem(document.source) or _vector_problem(document)
    if problem:
        return problem
    try:
        as_json(dict(document.source))
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def fitting(
    documents: Sequence[Document], own_problem: Callable[[Document], str] = lambda _document: ""
) -> tuple[list[Document], list[RejectedDocument]]:
    """Returns the documents that engines accept, and the others with the reason; an engine may add its own check."""
    problems = [document_problem(each) or own_problem(each) for each in documents]
    pairs = list(zip(documents, problems, strict=True))
    rejected = [RejectedDocument(each.doc_id, problem) for each, problem in pairs if problem]
    return [each for each, problem in pairs if not problem], rejected


def _vector_problem(document: Document) -> str:
    """Names the vector with a number that is missing, not finite or too large for 32 bits; empty if there is none."""
    vectors: dict[str, Vector] = {} if document.vector is None else {"vector": document.vector}
    vectors |= document.vectors
    vectors |= {f"passages[{place}].vector": vector for place, (_, vector) in enumerate(document.passages)}
    for name, vector in vectors.items():
        try:
            fits = all(-_FLOAT32_MAX <= each <= _FLOAT32_MAX for each in vector)  # comparisons with NaN are False
        except TypeError:
            fits = False
        if not fits:
            return f"{name} holds something else than finite 32-bit numbers"
    texts = {f"passages[{place}].text": text for place, (text, _) in enumerate(document.passages)}
    return json_values.problem(texts)


def as_json(value: Any) -> str:
    """Writes JSON for a server. Raises ValueError for NaN, half a surrogate pair, or an object without a JSON form."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    text.encode()  # raises UnicodeEncodeError, which is a ValueError
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, UUID):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return value.tolist()
    raise ValueError(f"a value of type {type(value).__name__} is not JSON")


class Engine(Protocol):
    """A search engine: OpenSearch, Elasticsearch, or the embedded one. `tests/contracts/engine.py` defines it."""

    async def retrieve(self, index: str, queries: Mapping[str, Query]) -> dict[str, Retrieved | EngineError]:
        """Returns one ranking per query, in one round trip; a failed query gets its error instead of a ranking.

        Rankings have at most `rank_window_size` candidates over all shards, ties in the order of index and doc_id, each
        with its concrete index. The engine chooses which of several tied documents are in a full window. Raises
        EngineError if the engine as a whole did not answer.
        """
        ...

    async def retrieve_fused(self, index: str, queries: Mapping[str, Query], fusion: Fusion) -> Retrieved:
        """Returns one ranking of all queries, fused by the engine itself in one search; its scores are fused scores.

        It has at most `rank_window_size` candidates. Raises EngineError, with reason "not_native" if the engine has no
        such fusion or computes it differently from `fusion`.
        """
        ...

    async def sources(
        self, index: str, keys: Sequence[DocumentKey], source_excludes: Sequence[str]
    ) -> Mapping[DocumentKey, Mapping[str, Any]]:
        """Returns the stored fields of the existing documents. Raises EngineError.

        Here and below, `index` is the searched name (possibly an alias) and a key has the concrete index.
        """
        ...

    async def fields_of(self, index: str) -> Fields:
        """Returns the cached result of `fields`: a search must not request it each time.

        Raises EngineError, IndexMissing if there is no such index.
        """
        ...

    async def highlight(
        self, index: str, query: Bm25Query, names: Sequence[str], keys: Sequence[DocumentKey]
    ) -> Mapping[DocumentKey, Mapping[str, tuple[str, ...]]]:
        """Returns fragments of the named fields by document and field: HTML, with `<em>` around the words of `query`.

        Raises EngineError.
        """
        ...

    async def extract(
        self, index: str, feature_set: FeatureSet, query: FeatureQuery, keys: Sequence[DocumentKey]
    ) -> Mapping[str, Any]:
        """Returns the answer from which `hybridrank.ltr_features.matrix` reads the features, in one round trip.

        Raises EngineError, also for a field that is not in the index and if a shard failed: such values must not look
        as if the documents had none.
        """
        ...

    async def indices(self, index: str) -> tuple[str, ...]:
        """Returns the concrete indices of a name, an alias, a pattern or a data stream, in alphabetical order.

        Raises IndexMissing.
        """
        ...

    async def plan_index(self, index: str, definition: IndexDefinition) -> tuple[str, ...]:
        """Returns the changes of `create_index` as diff lines; empty if there are none. Raises the same errors."""
        ...

    async def create_index(self, index: str, definition: IndexDefinition) -> bool:
        """Creates the index; returns False if it already exists.

        Raises EngineError if its vectors have another length or another encoder.
        """
        ...

    async def check_writable(self, index: str) -> None:
        """Checks that the index accepts documents; writes and creates nothing.

        Raises EngineError with reason "not_writable" if it accepts none, and IndexMissing.
        """
        ...

    async def index_documents(self, index: str, documents: Sequence[Document]) -> IndexReport:
        """Writes documents, replacing those with the same id; searches see them after `refresh`.

        A document that the index refuses is rejected by name, and the others are written. Raises EngineError if the
        index accepts none.
        """
        ...

    async def fields(self, index: str) -> Fields:
        """Returns the fields of the index, and its notes on them, such as the encoder of its vectors.

        Raises EngineError, IndexMissing if there is no such index.
        """
        ...

    async def note_encoder(self, index: str, paths: Sequence[str], encoder: EncoderNote) -> None:
        """Notes in the index which encoder made the vectors of these fields. Raises EngineError."""
        ...

    async def stored_digests(self, index: str, doc_ids: Sequence[str]) -> Mapping[str, str]:
        """Returns the `content_digest` of the stored documents, by doc_id."""
        ...

    async def stored_token_vectors(self, index: str, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, bytes]:
        """Returns the packed token vectors of the documents that have them, in one round trip.

        Raises EngineError, also if a shard failed.
        """
        ...

    async def refresh(self, index: str) -> int:
        """Makes everything written so far searchable; returns the number of documents in the index."""
        ...

    async def delete_index(self, index: str) -> bool:
        """Deletes the index; returns False if there is none."""
        ...

    async def info(self) -> EngineInfo:
        """Identifies the engine. Raises EngineUnreachable with the host and the cause."""
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...
