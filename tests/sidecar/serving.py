"""The real server on a free port, and a client that speaks to it over a real channel."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2_grpc

from hybridrank.sidecar.app import logs
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.models.control import ModelControl
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.protocol import rerank_pb2_grpc
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.transport.grpc.server import MAX_MESSAGE_BYTES, GrpcServer


@dataclass(frozen=True)
class Client:
    """Stubs of every service behind one address."""

    service: RerankService
    server: GrpcServer
    address: str
    channel: grpc.aio.Channel

    @property
    def reranker(self):
        return rerank_pb2_grpc.RerankerStub(self.channel)

    @property
    def encoder(self):
        return rerank_pb2_grpc.EncoderStub(self.channel)

    @property
    def models(self):
        return rerank_pb2_grpc.ModelRegistryStub(self.channel)

    @property
    def health(self):
        return health_pb2_grpc.HealthStub(self.channel)


@asynccontextmanager
async def serving(
    models: Models,
    *,
    threads: int = 2,
    max_queue_tokens: int = 1_000_000,
    score_cache_bytes: int = 0,
    control: ModelControl | None = None,
) -> AsyncIterator[Client]:
    """Serve `models` until the block ends."""
    logs.configure("json")
    worker = Worker(threads=threads, max_queue_tokens=max_queue_tokens)
    service = RerankService(models, worker, max_batch_tokens=512, score_cache_bytes=score_cache_bytes)
    server = GrpcServer(service, host="127.0.0.1", port=0, control=control, allow_control=control is not None)
    address = await server.start()
    try:
        async with channel_to(address) as channel:
            yield Client(service, server, address, channel)
    finally:
        await server.stop(0)
        worker.close()


def channel_to(address: str) -> grpc.aio.Channel:
    """A channel that takes replies as large as the server sends them."""
    return grpc.aio.insecure_channel(address, options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)])


def rerank_request(model: str, query: str, *passages: str, **fields) -> pb.RerankRequest:
    """Candidates are named p0, p1, …"""
    candidates = [pb.Candidate(id=f"p{index}", text=text) for index, text in enumerate(passages)]
    return pb.RerankRequest(model=model, query=query, candidates=candidates, **fields)
