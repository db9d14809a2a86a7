"""The real server on two free ports, HTTP and gRPC, around one service; with a client for each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import httpx
from prometheus_client.parser import text_string_to_metric_families

from hybridrank.sidecar.app import logs
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.protocol import rerank_pb2_grpc
from hybridrank.sidecar.readiness import Readiness
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.transport.calls import Calls
from hybridrank.sidecar.transport.grpc.server import GrpcServer
from hybridrank.sidecar.transport.http.server import HttpServer
from hybridrank.sidecar.transport.security.keys import KeyRing
from tests.sidecar.serving import channel_to


@dataclass(frozen=True)
class BothWires:
    """One sidecar, and how to speak to it."""

    url: str
    calls: Calls
    grpc_server: GrpcServer
    http_server: HttpServer
    readiness: Readiness
    http: httpx.AsyncClient
    channel: grpc.aio.Channel

    @property
    def reranker(self) -> rerank_pb2_grpc.RerankerStub:
        return rerank_pb2_grpc.RerankerStub(self.channel)

    async def metric(self, metric: str, /, **labels: str) -> float:
        """The sum of the samples of a metric that have these labels; 0 where there is none."""
        page = (await self.http.get("/metrics")).text
        samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
        full = f"hybridrank_sidecar_{metric}"
        return sum(s.value for s in samples if s.name == full and labels.items() <= s.labels.items())


@asynccontextmanager
async def serving_both(
    models: Models, *, threads: int = 2, max_queue_tokens: int = 1_000_000, score_cache_bytes: int = 0, **options
) -> AsyncIterator[BothWires]:
    """Serve `models` until the block ends; `options` are those of `serving_service`."""
    worker = Worker(threads=threads, max_queue_tokens=max_queue_tokens)
    async with serving_service(
        RerankService(models, worker, max_batch_tokens=512, score_cache_bytes=score_cache_bytes), **options
    ) as wires:
        yield wires
    worker.close()


@asynccontextmanager
async def serving_service(
    service: RerankService, *, max_body_bytes: int = 64 * 1024 * 1024, keys: KeyRing | None = None
) -> AsyncIterator[BothWires]:
    """Put both wires around a service until the block ends."""
    logs.configure("json")
    readiness = Readiness()
    calls = Calls(service, readiness=readiness)
    listen = {"host": "127.0.0.1", "port": 0, "readiness": readiness, "keys": keys}
    grpc_server = GrpcServer(service, calls=calls, **listen)
    http_server = HttpServer(calls, max_body_bytes=max_body_bytes, **listen)
    address = await grpc_server.start()
    url = await http_server.start()
    async with channel_to(address) as channel, httpx.AsyncClient(base_url=url, timeout=60) as http:
        try:
            yield BothWires(url, calls, grpc_server, http_server, readiness, http, channel)
        finally:
            await grpc_server.stop(0)
            await http_server.stop()
