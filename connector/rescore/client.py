"""The sidecar over gRPC: one channel, a deadline on every call, its errors turned into ours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

import grpc
from typing_extensions import Self

from connector.errors import (
    BadScores,
    SidecarError,
    SidecarOverloaded,
    SidecarTimeout,
    SidecarUnreachable,
)
from connector.rescore.base import Passage
from connector.types import Encoding, RelevanceScore
from sidecar.protocol import rerank_pb2 as wire
from sidecar.protocol import rerank_pb2_grpc as stubs

__all__ = ["ModelInfo", "SidecarClient"]

_MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # 1,000 documents of 20,000 words are about half of it
_RETRY_ONCE = """{"methodConfig": [{
    "name": [{"service": "hybridrank.v1.Reranker"}, {"service": "hybridrank.v1.Encoder"}],
    "retryPolicy": {"maxAttempts": 2, "initialBackoff": "0.01s", "maxBackoff": "0.05s", "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"]}}]}"""
_OPTIONS = [
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.service_config", _RETRY_ONCE),
    # A sidecar that comes back is found within a second; gRPC's own default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
_ERRORS = {
    grpc.StatusCode.UNAVAILABLE: SidecarUnreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: SidecarTimeout,
    grpc.StatusCode.RESOURCE_EXHAUSTED: SidecarOverloaded,
}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that the sidecar has loaded. `kind` is "encoder" or "cross-encoder"; `dimensions` is 0 for the latter."""

    name: str
    version: str
    kind: str
    digest: str
    precision: str
    max_tokens: int
    dimensions: int
    aliases: tuple[str, ...]


class SidecarClient:
    """An Encoder and a Rescorer. Connects on the first call, in that call's event loop, and reconnects by itself."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel: grpc.aio.Channel | None = None

    def __repr__(self) -> str:
        return f"SidecarClient({self.address!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def encode(
        self, texts: Sequence[str], *, model: str, kind: Literal["query", "document"], timeout_s: float
    ) -> tuple[Encoding, ...]:
        """One unit vector a text, in order. Raises SidecarError."""
        text_kind = wire.TEXT_KIND_QUERY if kind == "query" else wire.TEXT_KIND_DOCUMENT
        request = wire.EncodeRequest(model=model, texts=texts, kind=text_kind)
        response = await self._call(stubs.EncoderStub(self._connected()).Encode, request, timeout_s)
        if len(response.embeddings) != len(texts):
            raise BadScores(f"{self.address}: {len(response.embeddings)} vectors for {len(texts)} texts")
        return tuple(Encoding(tuple(each.vector), each.truncated) for each in response.embeddings)

    async def rescore(
        self, query_text: str, passages: Sequence[Passage], *, model: str, timeout_s: float
    ) -> tuple[RelevanceScore, ...]:
        """One finite score a passage, in the order of `passages`. Raises SidecarError."""
        candidates = [wire.Candidate(id=passage.doc_id, text=passage.text) for passage in passages]
        request = wire.RerankRequest(model=model, query=query_text, candidates=candidates)
        response = await self._call(stubs.RerankerStub(self._connected()).Rerank, request, timeout_s)
        return aligned(response.results, len(passages))

    async def models(self, *, timeout_s: float = 5.0) -> tuple[ModelInfo, ...]:
        """What is loaded. Raises SidecarError."""
        stub = stubs.ModelRegistryStub(self._connected())
        response = await self._call(stub.List, wire.ListModelsRequest(), timeout_s)
        return tuple(
            ModelInfo(
                each.name,
                each.version,
                each.kind,
                each.digest,
                each.precision,
                each.max_tokens,
                each.dimensions,
                tuple(each.aliases),
            )
            for each in response.models
        )

    async def close(self) -> None:
        """Close the channel; a later call opens another."""
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()

    def _connected(self) -> grpc.aio.Channel:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self.address, options=_OPTIONS)
        return self._channel

    async def _call(self, method: Any, request: Any, timeout_s: float) -> Any:
        try:
            return await method(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            ours = _ERRORS.get(error.code(), SidecarError)
            raise ours(f"sidecar at {self.address}: {error.code().name}: {error.details()}") from error


def aligned(results: Sequence[Any], count: int) -> tuple[RelevanceScore, ...]:
    """The scores of a reply by input index, whatever order they came in. Raises BadScores."""
    by_index: dict[int, RelevanceScore] = {}
    for each in results:
        if each.index >= count or each.index in by_index:
            raise BadScores(f"index {each.index} is unknown or came twice in a reply for {count} candidates")
        if not math.isfinite(each.relevance_score):
            raise BadScores(f"candidate {each.index} scored {each.relevance_score}")
        by_index[each.index] = RelevanceScore(each.relevance_score, each.truncated)
    if len(by_index) != count:
        raise BadScores(f"{len(by_index)} scores for {count} candidates")
    return tuple(by_index[place] for place in range(count))
