"""The gRPC API: each method decodes, calls the service and encodes. It also serves health and reflection."""

import asyncio
import errno
import socket
import time
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from hybridrank.sidecar.errors import NotAllowed
from hybridrank.sidecar.models.control import ModelControl
from hybridrank.sidecar.protocol import codec, rerank_pb2_grpc
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.readiness import Readiness
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.transport.calls import Calls
from hybridrank.sidecar.transport.grpc.interceptors import CallInterceptor
from hybridrank.sidecar.transport.security.grpc_keys import KeyInterceptor
from hybridrank.sidecar.transport.security.keys import KeyRing
from hybridrank.sidecar.transport.security.tls import Tls

# gRPC's own limit is 4 MiB, a few hundred long passages. 64 MiB hold 1,000 passages of 20,000 words or 20,000
# embeddings of 384 dimensions, and still limit the memory of one call.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

OPTIONS = (
    # Also the limit of a decompressed message. Requests may be compressed (gzip, deflate); replies are not: vectors and
    # scores are close to random bits, and compressing would take a core from scoring.
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a second sidecar on the port is an error; it must not get half of the calls
    # A peer that vanished silently (a node without power) is detected within 40 s; gRPC's default is two hours.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Clients may ping at this rate, also idle ones; by default two such pings in five minutes end the connection.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

# Time for open connections to receive the last reply and close; a client that watches our health never would.
GOODBYE_S = 1.0

Context = grpc.aio.ServicerContext[Any, Any]

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
SERVICES = tuple(service.full_name for service in pb.DESCRIPTOR.services_by_name.values())


def _deadline(context: Context) -> float | None:
    """Returns when the caller stops waiting, as a point in time of `time.monotonic()`."""
    remaining_s = context.time_remaining()
    return None if remaining_s is None else time.monotonic() + remaining_s


class RerankerServicer(rerank_pb2_grpc.RerankerServicer):
    """hybridrank.v1.Reranker."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def Rerank(self, request: pb.RerankRequest, context: Context) -> pb.RerankResponse:  # noqa: N802
        """Scores the candidates."""
        result = await self._calls.rerank(codec.rerank_request(request, _deadline(context)))
        return codec.rerank_response(result)


class EncoderServicer(rerank_pb2_grpc.EncoderServicer):
    """hybridrank.v1.Encoder."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def Encode(self, request: pb.EncodeRequest, context: Context) -> pb.EncodeResponse:  # noqa: N802
        """Encodes the texts."""
        result = await self._calls.encode(codec.encode_request(request, _deadline(context)))
        return codec.encode_response(result)


class ModelRegistryServicer(rerank_pb2_grpc.ModelRegistryServicer):
    """hybridrank.v1.ModelRegistry; changes need a `control`."""

    def __init__(self, calls: Calls, control: ModelControl | None) -> None:
        self._calls = calls
        self._control = control

    async def List(  # noqa: N802
        self,
        request: pb.ListModelsRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> pb.ListModelsResponse:
        """Returns all loaded models."""
        return pb.ListModelsResponse(models=map(codec.model, self._calls.service.models.infos()))

    async def Get(self, request: pb.GetModelRequest, context: Context) -> pb.Model:  # noqa: N802, ARG002
        """Returns the model for a name."""
        return codec.model(self._calls.service.models.get(request.model).info)

    async def Load(self, request: pb.LoadModelRequest, context: Context) -> pb.Model:  # noqa: N802, ARG002
        """Loads a folder and points its name to it."""
        return codec.model(await self._allowed().load(request.path))

    async def Unload(  # noqa: N802
        self,
        request: pb.UnloadModelRequest,
        context: Context,  # noqa: ARG002
    ) -> pb.UnloadModelResponse:
        """Unloads a name or a name:version."""
        return pb.UnloadModelResponse(models=map(codec.model, await self._allowed().unload(request.model)))

    def _allowed(self) -> ModelControl:
        if self._control is None:
            raise NotAllowed("model_control")
        return self._control


class GrpcServer:
    """Listens from `start` to `stop`. Health reports the whole ("" as a name), each service and each model.

    With `keys`, every call except health needs one. With `health_port`, a second listener answers only health, without
    TLS: for probes that do not support it. Connections are asked to close after `max_connection_age_s`; 0 keeps them.
    `control` changes the models, and their health follows; with `allow_control`, callers may change them, too.
    """

    def __init__(
        self,
        service: RerankService,
        *,
        host: str,
        port: int,
        calls: Calls | None = None,
        readiness: Readiness | None = None,
        keys: KeyRing | None = None,
        tls: Tls | None = None,
        health_port: int | None = None,
        max_connection_age_s: float = 0,
        control: ModelControl | None = None,
        allow_control: bool = False,
    ) -> None:
        self._calls = calls or Calls(service)
        self._interceptor = CallInterceptor(self._calls)
        self._server = grpc.aio.server(
            interceptors=[*([KeyInterceptor(keys, self._calls)] if keys else []), self._interceptor],
            options=[*OPTIONS, *_connection_age(max_connection_age_s)],
        )
        rerank_pb2_grpc.add_RerankerServicer_to_server(RerankerServicer(self._calls), self._server)
        rerank_pb2_grpc.add_EncoderServicer_to_server(EncoderServicer(self._calls), self._server)
        registry = ModelRegistryServicer(self._calls, control if allow_control else None)
        rerank_pb2_grpc.add_ModelRegistryServicer_to_server(registry, self._server)
        self._health = health.aio.HealthServicer()
        self._models_with_health: set[str] = set()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self._host = host
        self._port = port
        self._tls = tls
        self._health_port = health_port
        self._servers = [self._server]
        self._readiness = readiness or Readiness()
        self._readiness.listen(self._set_health)
        if control:
            control.listen(lambda: self._set_health(not self._readiness.reasons))

    async def start(self) -> str:
        """Listens; returns host:port with the actual port. Raises OSError if it is not available."""
        port = _listen(self._server, f"{self._host}:{self._port}", self._tls)
        await self._set_health(not self._readiness.reasons)
        await self._server.start()
        if self._health_port is not None:
            health_server = grpc.aio.server(options=OPTIONS)
            health_pb2_grpc.add_HealthServicer_to_server(self._health, health_server)
            _listen(health_server, f"{self._host}:{self._health_port}", None)
            await health_server.start()
            self._servers.append(health_server)
        return f"{self._host}:{port}"

    async def drain(self, drain_s: float) -> bool:
        """Becomes unhealthy, finishes running calls, refuses others; returns False if some still run after `drain_s`.

        Calls that end with the process after that are UNAVAILABLE to their callers.
        """
        await self._health.enter_graceful_shutdown()
        drained = await self._calls.drain(drain_s)
        await self._interceptor.replies_left()
        return drained

    async def stop(self, drain_s: float) -> bool:
        """Drains and closes; a call that arrives while gRPC closes is CANCELLED."""
        drained = await self.drain(drain_s)
        await asyncio.gather(*(server.stop(GOODBYE_S) for server in self._servers))
        return drained

    async def _set_health(self, ready: bool) -> None:  # noqa: FBT001
        models = list(self._calls.service.models)
        for remote in (model.remote for model in models if model.remote):
            remote.client.listener = self._look_again
        loaded = {model.info.name for model in models}
        down = {model.info.name for model in models if model.remote and model.remote.down}
        self._models_with_health |= loaded
        for name in ("", *SERVICES, *self._models_with_health):
            serves = ready and name in {"", *SERVICES, *loaded} - down
            await self._health.set(name, SERVING if serves else NOT_SERVING)

    def _look_again(self) -> None:
        """Reports a model that went down or is back; its callers do not wait for this."""
        self._looking = asyncio.ensure_future(self._set_health(not self._readiness.reasons))


def _listen(server: grpc.aio.Server, address: str, tls: Tls | None) -> int:
    """Returns the actual port."""
    try:
        return server.add_secure_port(address, tls.grpc_credentials()) if tls else server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {_why_not(address)}") from error


def _why_not(address: str) -> str:
    """Returns the system's own reason, which gRPC hides, and what to set."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.bind((host, int(port)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"{error.strerror}; another sidecar may be there: set another port"
        if error.errno == errno.EACCES:
            return f"{error.strerror}; ports below 1024 need a privilege: set another port"
        return f"{error.strerror}; set host to an address of this machine, or to 0.0.0.0"
    return "the port was taken in between; try again"


def _connection_age(seconds: float) -> tuple[tuple[str, int], ...]:
    """Asks a connection of that age, ±10 %, to close: its calls finish, new ones use another."""
    return (("grpc.max_connection_age_ms", int(1000 * seconds)),) if seconds else ()
