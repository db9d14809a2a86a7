"""Passes gRPC calls through the common handling (`calls.py`), and turns errors into a status."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from hybridrank.sidecar.errors import CallError, InvalidArgument
from hybridrank.sidecar.transport.call import REQUEST_ID, Call
from hybridrank.sidecar.transport.calls import Calls
from hybridrank.sidecar.transport.status import retry_after, status

OUR_SERVICES = "/hybridrank."  # health and reflection are neither logged nor refused while draining

# gRPC does not report when a reply has reached the network: it gets a moment, and more time for large replies.
LEAVES_IN_S = 0.05
BYTES_PER_S = 20e6

# Clients drop a call whose headers exceed 8 KiB; a message is a header in which a byte may become three ("%C3").
MESSAGE_BYTES = 2000

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Any]]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the calls of our own services."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._last_leaves_at = 0.0

    async def replies_left(self) -> None:
        """Waits until the replies so far have reached the network; about 3 s after the largest."""
        await asyncio.sleep(self._last_leaves_at - time.monotonic())

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Replaces the handler of a unary call by one that counts, logs and answers with our statuses.

        It also decodes: messages that gRPC itself cannot decode would be UNKNOWN to callers, and in no log.
        """
        handler = await continuation(handler_call_details)
        path = handler_call_details.method
        if handler is None or not path.startswith(OUR_SERVICES):
            return handler

        async def answer(raw: bytes, context: Context) -> Any:
            try:
                request = handler.request_deserializer(raw)
            except DecodeError as error:
                raise InvalidArgument("request", "is not the message of this method; see rerank.proto") from error
            return await handler.unary_unary(request, context)

        async def call(raw: bytes, context: Context) -> Any:
            return await self._call(path, answer, raw, context)

        return grpc.unary_unary_rpc_method_handler(call, response_serializer=handler.response_serializer)

    async def _call(self, path: str, handler: Handler, request: Any, context: Context) -> Any:
        call = Call.of("grpc", path.rsplit("/", 1)[1], path, dict(context.invocation_metadata() or ()))
        context.set_trailing_metadata(((REQUEST_ID, call.request_id),))

        def expired() -> bool:
            remaining_s = context.time_remaining()
            return remaining_s is not None and remaining_s <= 0

        try:
            reply = await self._calls.run(call, lambda: handler(request, context), expired=expired)
        except CallError as error:
            metadata = ((REQUEST_ID, call.request_id), *retry_after(error))
            await context.abort(status(error).grpc, shortened(str(error)), metadata)
        else:
            leaves_at = time.monotonic() + LEAVES_IN_S + reply.ByteSize() / BYTES_PER_S
            self._last_leaves_at = max(self._last_leaves_at, leaves_at)
            return reply


def shortened(message: str) -> str:
    """Returns the message, or its beginning and end if it repeats a very long name.

    >>> len(shortened("model " + 3000 * "x" + " is not loaded"))
    2003
    """
    raw = message.encode(errors="replace")
    if len(raw) <= MESSAGE_BYTES:
        return message
    head, tail = raw[: MESSAGE_BYTES // 2], raw[-MESSAGE_BYTES // 2 :]
    return f"{head.decode(errors='ignore')} … {tail.decode(errors='ignore')}"
