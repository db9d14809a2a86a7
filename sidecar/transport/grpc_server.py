"""The gRPC face: each method decodes, calls the service and encodes. Health and reflection stand beside it."""

from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sidecar.protocol import codec, rerank_pb2_grpc
from sidecar.protocol import rerank_pb2 as pb
from sidecar.service import RerankService
from sidecar.transport.interceptors import CallInterceptor

# gRPC's own limit is 4 MiB, a few hundred long passages. 64 MiB hold 1,000 passages of 20,000 words or 20,000
# embeddings of 384 dimensions, and still bound what one call can make us hold.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

# How long open connections get to take the last reply and leave; a client that watches our health never would.
GOODBYE_S = 1.0

Context = grpc.aio.ServicerContext[Any, Any]

SERVICES = tuple(service.full_name for service in pb.DESCRIPTOR.services_by_name.values())


class RerankerServicer(rerank_pb2_grpc.RerankerServicer):
    """hybridrank.v1.Reranker."""

    def __init__(self, service: RerankService) -> None:
        self._service = service

    async def Rerank(self, request: pb.RerankRequest, context: Context) -> pb.RerankResponse:  # noqa: N802, ARG002
        """Score the candidates."""
        structlog.contextvars.bind_contextvars(candidates=len(request.candidates))
        result = await self._service.rerank(codec.rerank_request(request))
        structlog.contextvars.bind_contextvars(model=result.model.name)
        return codec.rerank_response(result)


class EncoderServicer(rerank_pb2_grpc.EncoderServicer):
    """hybridrank.v1.Encoder."""

    def __init__(self, service: RerankService) -> None:
        self._service = service

    async def Encode(self, request: pb.EncodeRequest, context: Context) -> pb.EncodeResponse:  # noqa: N802, ARG002
        """Encode the texts."""
        structlog.contextvars.bind_contextvars(texts=len(request.texts))
        result = await self._service.encode(codec.encode_request(request))
        structlog.contextvars.bind_contextvars(model=result.model.name)
        return codec.encode_response(result)


class ModelRegistryServicer(rerank_pb2_grpc.ModelRegistryServicer):
    """hybridrank.v1.ModelRegistry."""

    def __init__(self, service: RerankService) -> None:
        self._service = service

    async def List(  # noqa: N802
        self,
        request: pb.ListModelsRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> pb.ListModelsResponse:
        """All loaded models."""
        return pb.ListModelsResponse(models=[codec.model(model.info) for model in self._service.models])

    async def Get(self, request: pb.GetModelRequest, context: Context) -> pb.Model:  # noqa: N802, ARG002
        """The model that answers to a name."""
        return codec.model(self._service.models.get(request.model).info)


class GrpcServer:
    """Listens from `start` to `stop`. Health answers for the whole ("" as a name), each service and each model."""

    def __init__(self, service: RerankService, *, host: str, port: int) -> None:
        self._calls = CallInterceptor()
        self._server = grpc.aio.server(
            interceptors=[self._calls],
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),  # a second sidecar on the port is an error, not half of the calls
            ],
        )
        rerank_pb2_grpc.add_RerankerServicer_to_server(RerankerServicer(service), self._server)
        rerank_pb2_grpc.add_EncoderServicer_to_server(EncoderServicer(service), self._server)
        rerank_pb2_grpc.add_ModelRegistryServicer_to_server(ModelRegistryServicer(service), self._server)
        self._health = health.aio.HealthServicer()
        self._healthy_names = ("", *SERVICES, *(model.info.name for model in service.models))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self._address = f"{host}:{port}"
        self._host = host

    async def start(self) -> str:
        """Listen; returns host:port with the port that was taken. OSError when it cannot be had."""
        try:
            port = self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}; is another sidecar there? ({error})") from error
        for name in self._healthy_names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        return f"{self._host}:{port}"

    async def stop(self, drain_s: float) -> bool:
        """Turn unhealthy, let running calls finish, close; False when some had to be cut off after `drain_s`."""
        await self._health.enter_graceful_shutdown()
        drained = await self._calls.drain(drain_s)
        await self._server.stop(GOODBYE_S)
        return drained
