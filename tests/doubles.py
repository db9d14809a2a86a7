"""Small real things that stand in for large ones."""

import math
from collections.abc import Sequence

from hybridrank.common.model_info import ModelInfo
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError, SidecarError, SidecarTimeout
from hybridrank.connector.queries.retrievers import Query
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.connector.types import DocumentKey, Encoding, RelevanceScore, Retrieved
from hybridrank.index_templates import EncoderNote

WORDS = ("tea", "milk", "water", "hot", "spices", "flour", "sugar", "vegetables")


class WordSidecar:
    """Encodes a text as its counts of WORDS, and scores a passage by how many of the query's words it holds.

    With `note` its replies say that this encoder answered; `blend_weight` is what its models recommend.
    """

    note: EncoderNote | None = None
    blend_weight: float | None = None

    async def model(self, name, *, timeout_s):
        return ModelInfo(name, "1", "cross-encoder", "0" * 64, "fp32", 512, blend_weight=self.blend_weight)

    async def encode(self, texts: Sequence[str], *, model, kind, timeout_s) -> tuple[Encoding, ...]:
        counts = [tuple(float(text.lower().count(word)) for word in WORDS) for text in texts]
        return tuple(Encoding(each, encoder=self.note) for each in counts)

    async def rescore(
        self, query_text: str, passages: Sequence[Passage], *, model, timeout_s, allow_partial=False, max_chunks=4
    ):
        wanted = set(query_text.lower().split())
        return tuple(RelevanceScore(float(len(wanted & set(each.text.lower().split())))) for each in passages)

    async def rescore_features(self, rows, *, feature_set_digest, model, timeout_s):
        """A row scores the sum of what is known of it."""
        return tuple(RelevanceScore(sum(value for value in row if not math.isnan(value))) for row in rows)


class BrokenSidecar(WordSidecar):
    """Raises what it is told to raise, where it is told."""

    def __init__(self, error: SidecarError, *, encoding: bool = False, rescoring: bool = False) -> None:
        self.error, self.encoding, self.rescoring = error, encoding, rescoring

    async def encode(self, texts, *, model, kind, timeout_s):
        if self.encoding:
            raise self.error
        return await super().encode(texts, model=model, kind=kind, timeout_s=timeout_s)

    async def rescore(self, query_text, passages, *, model, timeout_s, allow_partial=False, max_chunks=4):
        if self.rescoring:
            raise self.error
        return await super().rescore(query_text, passages, model=model, timeout_s=timeout_s)


class HalfSidecar(WordSidecar):
    """Scores only the first `ready` passages where that is allowed."""

    def __init__(self, ready: int) -> None:
        self.ready = ready

    async def rescore(self, query_text, passages, *, model, timeout_s, allow_partial=False, max_chunks=4):
        scores = await super().rescore(query_text, passages, model=model, timeout_s=timeout_s)
        if not allow_partial:
            raise SidecarTimeout("not all in time")
        return (*scores[: self.ready], *[None] * (len(passages) - self.ready))


class FailingRetriever:
    """A real engine of which some retrievers fail."""

    def __init__(self, inner: Engine, failures: dict[str, EngineError]) -> None:
        self.inner, self.failures = inner, failures

    async def retrieve(self, index: str, queries: dict[str, Query]) -> dict[str, Retrieved | EngineError]:
        return {**await self.inner.retrieve(index, queries), **{k: v for k, v in self.failures.items() if k in queries}}

    async def indices(self, index: str) -> tuple[str, ...]:
        return await self.inner.indices(index)

    async def fields_of(self, index):
        return await self.inner.fields_of(index)

    async def sources(self, *asked):
        return await self.inner.sources(*asked)


class RecordingEngine:
    """A real engine that keeps what it was asked."""

    def __init__(self, inner: Engine) -> None:
        self.inner = inner
        self.queries: list[dict[str, Query]] = []
        self.extracted: list[tuple[DocumentKey, ...]] = []

    async def fields_of(self, index):
        return await self.inner.fields_of(index)

    async def sources(self, *asked):
        return await self.inner.sources(*asked)

    async def indices(self, index: str) -> tuple[str, ...]:
        return await self.inner.indices(index)

    async def extract(self, index, feature_set, query, keys):
        self.extracted.append(tuple(keys))
        return await self.inner.extract(index, feature_set, query, keys)

    async def retrieve(self, index: str, queries: dict[str, Query]) -> dict[str, Retrieved | EngineError]:
        self.queries.append(dict(queries))
        return await self.inner.retrieve(index, queries)
