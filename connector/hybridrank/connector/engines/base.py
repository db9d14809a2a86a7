"""What an engine is: two protocols, one for searching and one for what indexing needs."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from hybridrank.common import json_values
from hybridrank.connector.engines.mapping.fields import Fields
from hybridrank.connector.errors import EngineError
from hybridrank.connector.fusion import Fusion
from hybridrank.connector.types import Bm25Query, Document, DocumentKey, EngineInfo, Query, Retrieved, Vector
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
"""Bytes of an id in UTF-8: the limit of OpenSearch and Elasticsearch, so that an index can move between engines."""


@dataclass(frozen=True, slots=True)
class RejectedDocument:
    """A document the engine did not take, and its reason."""

    doc_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What became of a batch of documents."""

    indexed: int
    rejected: tuple[RejectedDocument, ...] = ()


def id_problem(doc_id: str) -> str:
    """The sentence that says why no engine takes this id; empty when all do.

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
    """The sentence that says why no engine takes this document, naming the field or vector; empty when all do."""
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
    """The documents that engines take, and the others with the reason; an engine may have a check of its own."""
    problems = [document_problem(each) or own_problem(each) for each in documents]
    pairs = list(zip(documents, problems, strict=True))
    rejected = [RejectedDocument(each.doc_id, problem) for each, problem in pairs if problem]
    return [each for each, problem in pairs if not problem], rejected


def _vector_problem(document: Document) -> str:
    """Which vector holds a number that is missing, not finite or too large for 32 bits; empty when none does."""
    vectors: dict[str, Vector] = {} if document.vector is None else {"vector": document.vector}
    vectors |= document.vectors
    vectors |= {f"passages[{place}].vector": vector for place, (_, vector) in enumerate(document.passages)}
    for name, vector in vectors.items():
        try:
            fits = all(-_FLOAT32_MAX <= each <= _FLOAT32_MAX for each in vector)  # no comparison holds for NaN
        except TypeError:
            fits = False
        if not fits:
            return f"{name} holds something else than finite 32-bit numbers"
    texts = {f"passages[{place}].text": text for place, (text, _) in enumerate(document.passages)}
    return json_values.problem(texts)


def as_json(value: Any) -> str:
    """JSON as servers take it. Raises ValueError for what has no such form: NaN, half a surrogate pair, an object."""
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
        """One ranking a query, in one round trip; a query that failed gets its error in place of a ranking.

        Rankings hold at most `rank_window_size` candidates over all shards, equal scores in the order of index and
        doc_id, each with the concrete index that holds it. Which of several equal scores make it into a full window is
        the engine's choice.
        Raises EngineError when the engine as a whole did not answer.
        """
        ...

    async def retrieve_fused(self, index: str, queries: Mapping[str, Query], fusion: Fusion) -> Retrieved:
        """One ranking of all queries, fused by the engine itself in one search; its scores are fused scores.

        It holds at most `rank_window_size` candidates. Raises EngineError, with reason "not_native" where the engine
        has no such fusion or not the same as `fusion`.
        """
        ...

    async def sources(
        self, index: str, keys: Sequence[DocumentKey], source_excludes: Sequence[str]
    ) -> Mapping[DocumentKey, Mapping[str, Any]]:
        """The stored fields of those of the documents that are there. Raises EngineError.

        Here and below, `index` is what was searched (an alias, perhaps) and a key has the concrete index.
        """
        ...

    async def fields_of(self, index: str) -> Fields:
        """As `fields`, as they were read last: for a search, which must not ask for them each time.

        Raises EngineError, IndexMissing where there is none.
        """
        ...

    async def highlight(
        self, index: str, query: Bm25Query, names: Sequence[str], keys: Sequence[DocumentKey]
    ) -> Mapping[DocumentKey, Mapping[str, tuple[str, ...]]]:
        """Fragments of the named fields by document and field: HTML, with `<em>` around the words of `query`.

        Raises EngineError.
        """
        ...

    async def extract(
        self, index: str, feature_set: FeatureSet, query: FeatureQuery, keys: Sequence[DocumentKey]
    ) -> Mapping[str, Any]:
        """What `hybridrank.ltr_features.matrix` reads the features of these documents from, in one round trip.

        Raises EngineError, also for a field that the index lacks and when a shard failed: what is not known for such a
        reason must not look as if the documents had no value.
        """
        ...

    async def indices(self, index: str) -> tuple[str, ...]:
        """The concrete indices that a name, an alias, a pattern or a data stream stands for, in alphabetical order.

        Raises IndexMissing.
        """
        ...

    async def plan_index(self, index: str, definition: IndexDefinition) -> tuple[str, ...]:
        """What `create_index` would change, as the lines of a diff; empty when nothing. Raises what it would raise."""
        ...

    async def create_index(self, index: str, definition: IndexDefinition) -> bool:
        """Create the index unless it is there (then False).

        Raises EngineError when its vectors have another length or are another encoder's.
        """
        ...

    async def check_writable(self, index: str) -> None:
        """Writes and creates nothing.

        Raises EngineError with reason "not_writable" where the index would take no document, and IndexMissing.
        """
        ...

    async def index_documents(self, index: str, documents: Sequence[Document]) -> IndexReport:
        """Write documents, replacing those with the same id; visible to searches after `refresh`.

        A document that the index does not take is rejected by name, and the others are written. Raises EngineError
        where the index takes none.
        """
        ...

    async def fields(self, index: str) -> Fields:
        """The fields of the index, and what it notes of them: which encoder made its vectors, say.

        Raises EngineError, IndexMissing for an index that is not there.
        """
        ...

    async def note_encoder(self, index: str, paths: Sequence[str], encoder: EncoderNote) -> None:
        """Note in the index which encoder made the vectors of these fields. Raises EngineError."""
        ...

    async def stored_digests(self, index: str, doc_ids: Sequence[str]) -> Mapping[str, str]:
        """The `content_digest` of those of the documents that are stored, by doc_id."""
        ...

    async def stored_token_vectors(self, index: str, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, bytes]:
        """The packed token vectors of those of the documents that have them, in one round trip.

        Raises EngineError, also when a shard failed.
        """
        ...

    async def refresh(self, index: str) -> int:
        """Make everything written so far searchable; returns how many documents the index holds."""
        ...

    async def delete_index(self, index: str) -> bool:
        """Delete the index; False when there is none."""
        ...

    async def info(self) -> EngineInfo:
        """Which engine this is. Raises EngineUnreachable naming the host and the cause."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...
