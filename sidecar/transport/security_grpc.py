"""What gRPC calls must bring: a key, before anything of the request is read."""

from typing import Any

import grpc
import structlog

from sidecar.transport.security_keys import KeyRing

log = structlog.get_logger("sidecar")

OPEN_TO_ALL = "/grpc.health.v1.Health/"  # probes have no keys


class KeyInterceptor(grpc.aio.ServerInterceptor):
    """Ends every call without a good key as UNAUTHENTICATED, in the same words whatever was wrong; health is open."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """The call's own handler, or one that refuses."""
        method = handler_call_details.method
        metadata = dict(handler_call_details.invocation_metadata or ())
        if method.startswith(OPEN_TO_ALL) or self._keys.accepts(metadata.get("authorization")):
            return await continuation(handler_call_details)
        log.warning("call refused without a good key", method=method)
        # A handler for streams is started at once; one for a single message would first receive up to 64 MiB of it.
        return grpc.stream_stream_rpc_method_handler(_refuse)


async def _refuse(_requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthenticated")
