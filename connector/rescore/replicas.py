"""Several sidecars behind one client: a channel for each address, calls in turn, and another try where it is safe."""

import itertools
import re
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import grpc

from connector.errors import (
    BadAddress,
    InvalidRequest,
    ModelMissing,
    NotASidecar,
    SidecarError,
    SidecarOverloaded,
    SidecarRefused,
    SidecarTimeout,
    SidecarUnreachable,
    UnreadableText,
)
from connector.rescore.access import Access
from connector.rescore.breaker import Breaker
from connector.rescore.circuit import cost_a_search
from connector.rescore.retry_budget import RetryBudget
from connector.rescore.trace_context import trace_context

__all__ = ["Replicas"]

_MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # 1,000 documents of 20,000 words are about half of it
# All addresses behind a name take their turn, and one whose health says NOT_SERVING (it is shutting down) takes none.
_SERVICE_CONFIG = '{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}'
_OPTIONS = [
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.service_config", _SERVICE_CONFIG),
    # A sidecar that comes back is found within a second; gRPC's own default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name also the time that one attempt to connect may take: a busy machine needs more than 100 ms.
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
_ERRORS = {
    grpc.StatusCode.UNAVAILABLE: SidecarUnreachable,
    # Not by us, for whom it is asyncio's own CancelledError: a server that shuts down ends what it has just taken so.
    grpc.StatusCode.CANCELLED: SidecarUnreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: SidecarTimeout,
    grpc.StatusCode.RESOURCE_EXHAUSTED: SidecarOverloaded,
    grpc.StatusCode.UNAUTHENTICATED: SidecarRefused,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: ModelMissing,
    grpc.StatusCode.UNIMPLEMENTED: NotASidecar,
}
_TEXT_FIELD = re.compile(r"(query|texts\[\d+\]|candidates\[\d+\]\.text): ")


class Replicas:
    """`addresses` as SidecarClient takes them. Connects on the first call, in that call's event loop.

    Raises BadAddress and BadAccess, and OSError for a certificate that cannot be read.
    """

    def __init__(self, addresses: str, access: Access) -> None:
        self._targets = tuple(each.strip() for each in addresses.split(","))
        if not all(self._targets):
            raise BadAddress(f"sidecar address {addresses!r} has an empty part; write HOST:PORT or HOST:PORT,HOST:PORT")
        access.check(self._targets)
        self._credentials = access.credentials()
        self._metadata = access.metadata()
        self._breakers = dict.fromkeys(self._targets, Breaker())
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._turns = itertools.count()
        self._budget = RetryBudget()

    async def call(self, method: Callable[[grpc.aio.Channel], Any], request: Any, timeout_s: float) -> Any:
        """The answer of one replica; `method` finds the RPC on its channel. Raises SidecarError.

        Only a replica that is away (UNAVAILABLE, or CANCELLED as it leaves) makes for another try, with the next one,
        as long as the deadline and the budget for retries allow: each once, a single one twice, for its name may have
        other addresses.
        """
        deadline = monotonic() + timeout_s
        tried: list[str] = []
        while True:
            target = self._choose(tried)
            tried.append(target)
            try:
                response = await self._try(target, method, request, deadline - monotonic())
            except SidecarUnreachable:
                if not self._budget.failed() or len(tried) >= max(2, len(self._targets)) or monotonic() >= deadline:
                    raise
            else:
                self._budget.succeeded()
                return response

    async def close(self) -> None:
        """Close the channels; a later call opens others."""
        channels, self._channels = self._channels, {}
        for each in channels.values():
            await each.close()

    async def _try(self, target: str, method: Callable[[grpc.aio.Channel], Any], request: Any, timeout_s: float) -> Any:
        started_at = monotonic()
        self._breakers[target] = self._breakers[target].calling(started_at)
        try:
            metadata = (*self._metadata, *trace_context())
            response = await method(self._channels[target])(request, timeout=timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            message = f"sidecar at {target}: {error.code().name}: {error.details()}"
            ours = _kind(error)(message)
            now, breaker = monotonic(), self._breakers[target]
            failed = cost_a_search(ours, now - started_at, timeout_s)
            self._breakers[target] = breaker.failed(now, message) if failed else breaker.succeeded()
            raise ours from error
        self._breakers[target] = self._breakers[target].succeeded()
        return response

    def _choose(self, tried: Sequence[str]) -> str:
        """The next in turn among those most likely to answer.

        One that left several calls in a row without an answer comes last for a while, even when it is connected (it
        hangs). Otherwise connected comes before connecting, and that before lost.
        """
        if not self._channels:
            self._channels = {each: self._channel(each) for each in self._targets}
        now = monotonic()
        doubts = {
            each: (self._breakers[each].is_open(now), _doubt(channel)) for each, channel in self._channels.items()
        }
        untried = {each: doubt for each, doubt in doubts.items() if each not in tried} or doubts
        best = [each for each, doubt in untried.items() if doubt == min(untried.values())]
        return best[next(self._turns) % len(best)]

    def _channel(self, target: str) -> grpc.aio.Channel:
        if self._credentials:
            return grpc.aio.secure_channel(target, self._credentials, options=_OPTIONS)
        return grpc.aio.insecure_channel(target, options=_OPTIONS)


def _kind(error: grpc.aio.AioRpcError) -> type[SidecarError]:
    """The class of an answer that is an error. The details of INVALID_ARGUMENT begin with the field that is wrong."""
    found = _ERRORS.get(error.code(), SidecarError)
    return UnreadableText if found is InvalidRequest and _TEXT_FIELD.match(error.details() or "") else found


def _doubt(channel: grpc.aio.Channel) -> int:
    state = channel.get_state(try_to_connect=True)
    return {grpc.ChannelConnectivity.READY: 0, grpc.ChannelConnectivity.TRANSIENT_FAILURE: 2}.get(state, 1)
