"""A search that asks engine and sidecar only once: it caches their answers, and is otherwise `HybridSearch`.

Tuning searches the same queries hundreds of times, each time with other fusion and weights. Those searches differ only
in arithmetic, which takes a millisecond; retrieval and models are called only for inputs that are not cached.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, cast

from hybridrank.connector import HybridSearch, ModelInfo
from hybridrank.connector.admin.similarity import Bm25Settings
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.queries.retrievers import Bm25Query, KnnQuery, Query
from hybridrank.connector.sidecar_client.base import Passage, Sidecar
from hybridrank.connector.types import DEFAULT_CHUNKS, DocumentKey, Encoding, RelevanceScore, Retrieved

__all__ = ["ChangeBm25", "RememberingEngine", "RememberingSearch", "RememberingSidecar"]

ChangeBm25: TypeAlias = Callable[[Bm25Settings | None], Awaitable[None]]

CANDIDATES_KEPT = 3_000_000  # about 130 bytes each; least recently used rankings are dropped first
PACKED_BYTES_KEPT = 512 << 20  # of token vectors; those that came first are dropped first


class RememberingSearch(HybridSearch):
    """A HybridSearch with the same answers as any other, if documents and models do not change.

    `change_bm25` sets k1 and b of the index; None restores the original ones.
    """

    def __init__(self, engine: Engine, sidecar: Sidecar, change_bm25: ChangeBm25 | None = None) -> None:
        self._memory = RememberingEngine(engine, change_bm25)
        super().__init__(cast("Engine", self._memory), cast("Sidecar", RememberingSidecar(sidecar)))

    def count_by(self, bm25: Bm25Settings | None) -> None:
        """Sets the BM25 parameters of the index from the next search on."""
        self._memory.bm25 = bm25


class RememberingEngine:
    """The engine methods that a search by text needs: rankings, and the documents in them with their token vectors.

    Requests may differ in text, vector, fields and window; filters and other parameters must stay the same. Rankings
    include sources whether or not a search needs them, so that searches with and without a reranker share them.
    """

    def __init__(
        self,
        engine: Engine,
        change_bm25: ChangeBm25 | None = None,
        *,
        kept: int = CANDIDATES_KEPT,
        packed_kept: int = PACKED_BYTES_KEPT,
    ) -> None:
        self.bm25: Bm25Settings | None = None
        self._engine, self._change_bm25, self._kept = engine, change_bm25, kept
        self._counted_by: Bm25Settings | None = None  # in the index now
        self._answers: OrderedDict[Hashable, Retrieved] = OrderedDict()
        self._sources: dict[DocumentKey, Mapping[str, Any]] = {}
        self._size = 0
        self._packed: dict[DocumentKey, bytes] = {}
        self._packed_bytes, self._packed_kept = 0, packed_kept

    async def retrieve(self, index: str, queries: Mapping[str, Query]) -> dict[str, Retrieved | EngineError]:
        """Returns the engine's cached or new answer. A failed or incomplete answer is not cached."""
        keys = {name: (index, *self._key(query)) for name, query in queries.items()}
        found: dict[str, Retrieved | EngineError] = {}
        for name, key in keys.items():
            if key in self._answers:
                self._answers.move_to_end(key)
                found[name] = self._answers[key]
        missing = {name: replace(query, with_sources=True) for name, query in queries.items() if name not in found}
        if missing:
            lexical = any(not (query.needs_vector or query.needs_sparse) for query in missing.values())
            if lexical and self._change_bm25 and self._counted_by != self.bm25:
                await self._change_bm25(self.bm25)
                self._counted_by = self.bm25
            for name, answer in (await self._engine.retrieve(index, missing)).items():
                found[name] = answer
                if isinstance(answer, Retrieved) and not answer.warning:
                    found[name] = self._keep(keys[name], answer)
        return {name: found[name] for name in queries}

    async def indices(self, index: str) -> tuple[str, ...]:
        """Returns the engine's current answer."""
        return await self._engine.indices(index)

    async def fields_of(self, index: str) -> Fields:
        """Returns the engine's fields."""
        return await self._engine.fields_of(index)

    async def sources(
        self,
        index: str,  # noqa: ARG002
        keys: Sequence[DocumentKey],
        source_excludes: Sequence[str],  # noqa: ARG002
    ) -> Mapping[DocumentKey, Mapping[str, Any]]:
        """Returns sources of documents that were in a ranking, as every document of a page was."""
        return {key: self._sources[key] for key in keys}

    async def stored_token_vectors(self, index: str, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, bytes]:
        """Returns the cached or new token vectors of the documents that have them."""
        missing = [key for key in keys if key not in self._packed]
        fresh = await self._engine.stored_token_vectors(index, missing) if missing else {}
        found = {key: self._packed[key] for key in keys if key in self._packed} | dict(fresh)
        self._packed |= fresh
        self._packed_bytes += sum(map(len, fresh.values()))
        while self._packed_bytes > self._packed_kept:
            self._packed_bytes -= len(self._packed.pop(next(iter(self._packed))))
        return found

    def _key(self, query: Query) -> tuple[Hashable, ...]:
        if isinstance(query, Bm25Query):
            return self.bm25, query.text, frozenset(query.fields.items()), query.rank_window_size
        if isinstance(query, KnnQuery):
            return query.vector, query.field, query.rank_window_size
        return None if query.needs_sparse else self.bm25, repr(query)

    def _keep(self, key: Hashable, answer: Retrieved) -> Retrieved:
        """Keeps one copy of each document, however many rankings contain it."""
        shared = Retrieved(
            tuple(replace(each, source=self._sources.setdefault(each.key, each.source)) for each in answer.ranking)
        )
        self._answers[key] = shared
        self._size += len(shared.ranking)
        while self._size > self._kept and len(self._answers) > 1:
            _, forgotten = self._answers.popitem(last=False)
            self._size -= len(forgotten.ranking)
        return shared


class RememberingSidecar:
    """The sidecar methods that a search by text needs: query vectors and passage scores, each computed once."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._encodings: dict[tuple[str, str, bool], Encoding] = {}  # by model, text, and True for a sparse one
        self._scores: dict[tuple[str, int, str], dict[tuple[DocumentKey, int, bool], RelevanceScore]] = {}

    async def encode(
        self, texts: Sequence[str], *, model: str, kind: Literal["query", "document"], timeout_s: float
    ) -> tuple[Encoding, ...]:
        """Returns the sidecar's cached or new encodings of these queries."""
        return await self._encoded(texts, self._sidecar.encode, model, kind, timeout_s)

    async def encode_sparse(
        self, texts: Sequence[str], *, model: str, kind: Literal["query", "document"], timeout_s: float
    ) -> tuple[Encoding, ...]:
        """Returns the sidecar's cached or new sparse vectors of these queries."""
        return await self._encoded(texts, self._sidecar.encode_sparse, model, kind, timeout_s, sparse=True)

    async def _encoded(
        self,
        texts: Sequence[str],
        encode: Callable[..., Awaitable[tuple[Encoding, ...]]],
        model: str,
        kind: Literal["query", "document"],
        timeout_s: float,
        *,
        sparse: bool = False,
    ) -> tuple[Encoding, ...]:
        missing = [text for text in dict.fromkeys(texts) if (model, text, sparse) not in self._encodings]
        if missing:
            encodings = await encode(missing, model=model, kind=kind, timeout_s=timeout_s)
            self._encodings |= {(model, text, sparse): each for text, each in zip(missing, encodings, strict=True)}
        return tuple(self._encodings[model, text, sparse] for text in texts)

    async def model(self, name: str, *, timeout_s: float) -> ModelInfo:
        """Returns the sidecar's answer, which it keeps itself."""
        return await self._sidecar.model(name, timeout_s=timeout_s)

    async def rescore(
        self,
        query_text: str,
        passages: Sequence[Passage],
        *,
        model: str,
        timeout_s: float,
        allow_partial: bool = False,
        max_chunks: int = DEFAULT_CHUNKS,
    ) -> tuple[RelevanceScore | None, ...]:
        """Returns the model's cached or new scores of these passages; passages not scored in time are not cached."""
        known = self._scores.setdefault((model, max_chunks, query_text), {})
        wanted = {(each.key, hash(each.text), bool(each.token_vectors)): each for each in passages}
        missing = [key for key in wanted if key not in known]
        if missing:
            scores = await self._sidecar.rescore(
                query_text,
                [wanted[key] for key in missing],
                model=model,
                timeout_s=timeout_s,
                allow_partial=allow_partial,
                max_chunks=max_chunks,
            )
            known |= {key: score for key, score in zip(missing, scores, strict=True) if score}
        return tuple(known.get(key) for key in wanted)
