"""API keys of gRPC calls: checked before anything of the request is read."""

from typing import Any

import grpc

from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.transport.calls import Calls
from hybridrank.sidecar.transport.security.keys import KeyRing

METHODS = {
    f"/{service.full_name}/{method.name}": method.name
    for service in pb.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
OPEN_TO_ALL = "/grpc.health.v1.Health/"  # probes have no keys


class KeyInterceptor(grpc.aio.ServerInterceptor):
    """Ends every call without a valid key as UNAUTHENTICATED, always with the same message; health needs no key."""

    def __init__(self, keys: KeyRing, calls: Calls) -> None:
        self._keys = keys
        self._calls = calls

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Returns the call's own handler, or one that refuses."""
        path = handler_call_details.method
        metadata = dict(handler_call_details.invocation_metadata or ())
        if path.startswith(OPEN_TO_ALL) or self._keys.accepts(metadata.get("authorization")):
            return await continuation(handler_call_details)
        self._calls.refused_without_key("grpc", METHODS.get(path, "other"), path)
        # A handler for streams starts at once; one for a single message would first receive up to 64 MiB of it.
        return grpc.stream_stream_rpc_method_handler(_refuse)


async def _refuse(_requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthenticated")
