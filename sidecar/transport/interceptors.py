"""What happens around every call: a request id, one log line without user text, errors turned into a status."""

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import structlog

from sidecar.errors import Draining, SidecarError
from sidecar.transport.status import grpc_code, trailing_metadata

log = structlog.get_logger("sidecar")

OUR_SERVICES = "/hybridrank."  # health and reflection are neither logged nor refused while draining
REQUEST_ID = "x-request-id"
ACCEPTED_REQUEST_ID = re.compile(r"[\w.:-]{1,64}")

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Any]]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the calls of our own services, and counts them, so that the server can wait for the last."""

    def __init__(self) -> None:
        self._running = 0
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def drain(self, timeout_s: float) -> bool:
        """Refuse new calls and wait for those that run; False when some still ran after `timeout_s`."""
        self._draining = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except asyncio.TimeoutError:
            return False
        return True

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Replace the handler of a unary call by one that is counted, logged and answered with our statuses."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(OUR_SERVICES):
            return handler

        async def call(request: Any, context: Context) -> Any:
            self._running += 1
            self._idle.clear()
            try:
                return await self._call(method, handler.unary_unary, request, context)
            finally:
                self._running -= 1
                if self._running == 0:
                    self._idle.set()

        return grpc.unary_unary_rpc_method_handler(
            call,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    async def _call(self, method: str, handler: Handler, request: Any, context: Context) -> Any:
        request_id = _request_id(context)
        structlog.contextvars.bind_contextvars(method=method, request_id=request_id)
        started_at = time.perf_counter()

        def log_call(code: str, **fields: str) -> None:
            log.info("call", code=code, ms=round(1000 * (time.perf_counter() - started_at), 1), **fields)

        context.set_trailing_metadata(((REQUEST_ID, request_id),))
        try:
            if self._draining:
                raise Draining
            response = await handler(request, context)
        except SidecarError as error:
            code = grpc_code(error)
            log_call(code.name, error=type(error).__name__)
            await context.abort(code, str(error), ((REQUEST_ID, request_id), *trailing_metadata(error)))
        except asyncio.CancelledError:
            remaining_s = context.time_remaining()
            log_call("DEADLINE_EXCEEDED" if remaining_s is not None and remaining_s <= 0 else "CANCELLED")
            raise
        except Exception as error:
            log.exception("call failed")
            log_call("INTERNAL", error=type(error).__name__)
            message = f"internal error; the sidecar's log has it under request id {request_id}"
            await context.abort(grpc.StatusCode.INTERNAL, message, ((REQUEST_ID, request_id),))
        log_call("OK")
        return response


def _request_id(context: Context) -> str:
    """The caller's own id where it is fit for a log line, otherwise a new one."""
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID and isinstance(value, str) and ACCEPTED_REQUEST_ID.fullmatch(value):
            return value
    return uuid.uuid4().hex
