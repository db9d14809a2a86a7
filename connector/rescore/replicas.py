"""Several sidecars behind one client: a channel for each address, calls in turn, and another try where it is safe."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import grpc

from connector.errors import SidecarUnreachable
from connector.rescore.access import Access
from connector.rescore.breaker import Breaker
from connector.rescore.channels import Channels, open_channels, wait_for_fork
from connector.rescore.circuit import cost_a_search
from connector.rescore.refusals import sidecar_error
from connector.rescore.retry_budget import RetryBudget
from connector.rescore.targets import parse_targets
from connector.rescore.trace_context import trace_context

__all__ = ["Replicas"]


class Replicas:
    """`addresses` as SidecarClient takes them. Connects on the first call in each event loop and process.

    Raises BadAddress and BadAccess, and OSError for a certificate that cannot be read.
    """

    def __init__(self, addresses: str, access: Access) -> None:
        self._targets = parse_targets(addresses)
        access.check(self._targets)
        self._access = access
        self._channels = open_channels(self._targets, access.credentials())
        self._metadata = access.metadata()
        self._breakers = dict.fromkeys(self._targets, Breaker())
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
            await wait_for_fork()
            channels = await self._channels.here()
            target = self._choose(channels, tried)
            tried.append(target)
            try:
                response = await self._try(channels, target, method, request, deadline - monotonic())
            except SidecarUnreachable:
                if not self._budget.failed() or len(tried) >= max(2, len(self._targets)) or monotonic() >= deadline:
                    raise
            else:
                self._budget.succeeded()
                return response

    async def close(self) -> None:
        """Close the channels; a later call opens others."""
        await self._channels.close()

    async def _try(
        self,
        channels: Channels,
        target: str,
        method: Callable[[grpc.aio.Channel], Any],
        request: Any,
        timeout_s: float,
    ) -> Any:
        started_at = monotonic()
        self._breakers[target] = self._breakers[target].calling(started_at)
        channels.calls += 1
        try:
            metadata = (*self._metadata, *trace_context())
            response = await method(channels.by_target[target])(request, timeout=timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            ours = sidecar_error(target, error.code(), error.details() or "", self._access)
            now, breaker = monotonic(), self._breakers[target]
            failed = cost_a_search(ours, now - started_at, timeout_s)
            self._breakers[target] = breaker.failed(now, str(ours)) if failed else breaker.succeeded()
            raise ours from error
        except asyncio.CancelledError:
            if not channels.given_up or _is_cancelled(asyncio.current_task()):
                raise
            raise SidecarUnreachable(f"sidecar at {target}: this process forked in the middle of the call") from None
        finally:
            channels.calls -= 1
        self._breakers[target] = self._breakers[target].succeeded()
        return response

    def _choose(self, channels: Channels, tried: Sequence[str]) -> str:
        """The next in turn among those most likely to answer.

        One that left several calls in a row without an answer comes last for a while, even when it is connected (it
        hangs). Otherwise connected comes before connecting, and that before lost.
        """
        now = monotonic()
        doubts = {
            each: (self._breakers[each].is_open(now), _doubt(channel)) for each, channel in channels.by_target.items()
        }
        untried = {each: doubt for each, doubt in doubts.items() if each not in tried} or doubts
        best = [each for each, doubt in untried.items() if doubt == min(untried.values())]
        return best[next(self._turns) % len(best)]


def _is_cancelled(task: "asyncio.Task[Any] | None") -> bool:
    """Whether somebody cancels the task itself; Python 3.10 does not tell."""
    return bool(getattr(task, "cancelling", int)())


def _doubt(channel: grpc.aio.Channel) -> int:
    state = channel.get_state(try_to_connect=True)
    return {grpc.ChannelConnectivity.READY: 0, grpc.ChannelConnectivity.TRANSIENT_FAILURE: 2}.get(state, 1)
