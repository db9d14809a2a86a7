"""Real gRPC servers whose answers a test chooses."""

import asyncio
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from hybridrank.sidecar.protocol import rerank_pb2 as wire
from hybridrank.sidecar.protocol import rerank_pb2_grpc as stubs


class Answering(stubs.RerankerServicer, stubs.EncoderServicer):
    """Answers with what it was given: results, or a status to abort with."""

    def __init__(
        self,
        results: Sequence[wire.RerankResult] = (),
        status: grpc.StatusCode | None = None,
        wait_s: float = 0.0,
        *,
        complete: bool = True,
        details: str = "the reason",
        vector: Sequence[float] = (0.6, 0.8),
    ):
        self.vector = vector
        self.details = details
        self.results, self.status, self.wait_s, self.complete = results, status, wait_s, complete
        self.calls = 0
        self.metadata: list[dict[str, str]] = []
        self.remaining_s: list[float] = []
        self.called = asyncio.Event()
        self.health = health.aio.HealthServicer()

    async def Rerank(self, request, context):
        self.calls += 1
        self.called.set()
        self.metadata.append(dict(context.invocation_metadata()))
        self.remaining_s.append(context.time_remaining())
        await asyncio.sleep(self.wait_s)
        if self.status is not None:
            await context.abort(self.status, self.details)
        return wire.RerankResponse(results=self.results, complete=self.complete)

    async def Encode(self, request, context):
        return wire.EncodeResponse(embeddings=[wire.Embedding(vector=self.vector, truncated=True)])


class Servers:
    """Servers of one test."""

    def __init__(self) -> None:
        self.running: dict[str, grpc.aio.Server] = {}

    async def start(self, servicer: Answering, address: str = "127.0.0.1:0", credentials=None) -> str:
        """Returns host:port."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        stubs.add_RerankerServicer_to_server(servicer, server)
        stubs.add_EncoderServicer_to_server(servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(servicer.health, server)
        await servicer.health.set("", health_pb2.HealthCheckResponse.SERVING)
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        await server.start()
        address = f"{address.rpartition(':')[0]}:{port}"
        self.running[address] = server
        return address

    async def stop(self, address: str) -> None:
        """At once, whatever it is doing."""
        await self.running.pop(address).stop(None)


def result(index: int, score: float, *, truncated: bool = False) -> wire.RerankResult:
    return wire.RerankResult(index=index, relevance_score=score, truncated=truncated)
