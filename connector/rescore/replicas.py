"""Several sidecars behind one client: a channel for each address, calls in turn, and another try where it is safe."""

import itertools
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import grpc

from connector.errors import (
    BadAddress,
    SidecarError,
    SidecarOverloaded,
    SidecarRefused,
    SidecarTimeout,
    SidecarUnreachable,
)
from connector.rescore.access import Access
from connector.rescore.retry_budget import RetryBudget

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
    grpc.StatusCode.DEADLINE_EXCEEDED: SidecarTimeout,
    grpc.StatusCode.RESOURCE_EXHAUSTED: SidecarOverloaded,
    grpc.StatusCode.UNAUTHENTICATED: SidecarRefused,
}


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
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._turns = itertools.count()
        self._budget = RetryBudget()

    async def call(self, method: Callable[[grpc.aio.Channel], Any], request: Any, timeout_s: float) -> Any:
        """The answer of one replica; `method` finds the RPC on its channel. Raises SidecarError.

        Only UNAVAILABLE is tried again, with the next replica, as long as the deadline and the budget for retries
        allow: each replica once, a single one twice, for its name may have other addresses.
        """
        deadline = monotonic() + timeout_s
        tried: list[str] = []
        while True:
            target = self._choose(tried)
            tried.append(target)
            try:
                rpc = method(self._channels[target])
                response = await rpc(request, timeout=deadline - monotonic(), metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                lost = error.code() is grpc.StatusCode.UNAVAILABLE and self._budget.failed()
                if lost and len(tried) < max(2, len(self._targets)) and monotonic() < deadline:
                    continue
                ours = _ERRORS.get(error.code(), SidecarError)
                raise ours(f"sidecar at {target}: {error.code().name}: {error.details()}") from error
            self._budget.succeeded()
            return response

    async def close(self) -> None:
        """Close the channels; a later call opens others."""
        channels, self._channels = self._channels, {}
        for each in channels.values():
            await each.close()

    def _choose(self, tried: Sequence[str]) -> str:
        """The next in turn among those that are most likely to answer: connected, then connecting, then lost."""
        if not self._channels:
            self._channels = {each: self._channel(each) for each in self._targets}
        doubts = {each: _doubt(channel) for each, channel in self._channels.items()}
        untried = {each: doubt for each, doubt in doubts.items() if each not in tried} or doubts
        best = [each for each, doubt in untried.items() if doubt == min(untried.values())]
        return best[next(self._turns) % len(best)]

    def _channel(self, target: str) -> grpc.aio.Channel:
        if self._credentials:
            return grpc.aio.secure_channel(target, self._credentials, options=_OPTIONS)
        return grpc.aio.insecure_channel(target, options=_OPTIONS)


def _doubt(channel: grpc.aio.Channel) -> int:
    state = channel.get_state(try_to_connect=True)
    return {grpc.ChannelConnectivity.READY: 0, grpc.ChannelConnectivity.TRANSIENT_FAILURE: 2}.get(state, 1)
