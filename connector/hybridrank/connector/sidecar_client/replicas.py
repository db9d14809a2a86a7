"""Several sidecars behind one client: a channel for each address, calls in turn, and retries where safe."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, TypeVar

import grpc

from hybridrank.common.breaker import Breaker
from hybridrank.connector.errors import BadScores, SidecarError, SidecarFailed, SidecarOverloaded, SidecarUnreachable
from hybridrank.connector.sidecar_client.access import Access
from hybridrank.connector.sidecar_client.channels import Channels, open_channels, wait_for_fork
from hybridrank.connector.sidecar_client.circuit import cost_a_search
from hybridrank.connector.sidecar_client.refusals import sidecar_error
from hybridrank.connector.sidecar_client.retry_budget import RetryBudget
from hybridrank.connector.sidecar_client.targets import parse_targets
from hybridrank.connector.sidecar_client.trace_context import trace_context

__all__ = ["Replicas"]

T = TypeVar("T")

_LOST = 2
_OF_ONE_REPLICA = (SidecarFailed, SidecarOverloaded, BadScores)
"""Unusable answers of one replica; another may do better. Other refusals are final: another replica would answer the
same."""


class _Interrupted(SidecarUnreachable):
    """This process forked in the middle of a call, which starts again."""


class Replicas:
    """`addresses` as in SidecarClient. Connects on the first call in each event loop and process.

    Raises BadAddress and BadAccess, and OSError for a certificate that cannot be read.
    """

    def __init__(self, addresses: str, access: Access) -> None:
        self._targets = parse_targets(addresses)
        access.check(self._targets)
        self._access = access
        self._channels = open_channels(self._targets, access.credentials())
        self._metadata = access.metadata()
        self._breakers = dict.fromkeys(self._targets, Breaker())
        self._answered: set[str] = set()  # targets that have answered a call
        self._turns = itertools.count()
        self._budget = RetryBudget()

    async def call(
        self, method: Callable[[grpc.aio.Channel], Any], request: Any, timeout_s: float, read: Callable[[Any], T]
    ) -> T:
        """Returns `read` of one replica's response; `method` returns the RPC of its channel. Raises SidecarError.

        If a replica is unreachable (UNAVAILABLE, or CANCELLED as it leaves), the next one is tried, as long as the
        deadline and the retry budget allow: each once, a single one twice, because its name may have other addresses.
        After an unusable response (an error inside the sidecar, a full queue, or BadScores raised by `read`) there is
        one more try, on a healthy replica.
        """
        deadline = monotonic() + timeout_s
        turn = next(self._turns)
        tried: list[str] = []
        while True:
            await wait_for_fork()
            channels = await self._channels.here()
            target = self._choose(channels, tried, turn)
            tried.append(target)
            try:
                answer = await self._try(channels, target, method, request, deadline - monotonic(), read)
            except _Interrupted:
                tried.pop()  # a fork says nothing about the replica
                if monotonic() >= deadline:
                    raise
            except SidecarError as error:
                if not self._may_try_again(channels, error, tried) or monotonic() >= deadline:
                    raise
            else:
                self._budget.succeeded()
                return answer

    async def close(self) -> None:
        """Closes the channels; a later call opens new ones."""
        await self._channels.close()

    async def _try(
        self,
        channels: Channels,
        target: str,
        method: Callable[[grpc.aio.Channel], Any],
        request: Any,
        timeout_s: float,
        read: Callable[[Any], T],
    ) -> T:
        started_at = monotonic()
        self._breakers[target] = self._breakers[target].calling(started_at)
        channels.calls += 1
        try:
            metadata = (*self._metadata, *trace_context())
            with self._named(target):
                answer = read(await method(channels.by_target[target])(request, timeout=timeout_s, metadata=metadata))
        except SidecarError as error:
            now, breaker = monotonic(), self._breakers[target]
            failed = isinstance(error, _OF_ONE_REPLICA) or cost_a_search(error, now - started_at, timeout_s)
            self._breakers[target] = breaker.failed(now, str(error)) if failed else breaker.succeeded()
            raise
        except asyncio.CancelledError:
            if not channels.given_up or _is_cancelled(asyncio.current_task()):
                raise
            raise _Interrupted(f"sidecar at {target}: this process forked in the middle of the call") from None
        finally:
            channels.calls -= 1
        self._breakers[target] = self._breakers[target].succeeded()
        self._answered.add(target)
        return answer

    @contextmanager
    def _named(self, target: str) -> Iterator[None]:
        """Turns errors of a call into ours, with the replica's name."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            answered = target in self._answered
            raise sidecar_error(target, error.code(), error.details() or "", self._access, answered=answered) from error
        except BadScores as error:
            raise BadScores(f"sidecar at {target}: {error}") from None

    def _may_try_again(self, channels: Channels, error: SidecarError, tried: Sequence[str]) -> bool:
        """True if a retry is allowed; takes a token, except for a known failing replica: probes must cost no search."""
        if isinstance(error, SidecarUnreachable):
            return self._budget.failed() and len(tried) < max(2, len(self._targets))
        if not isinstance(error, _OF_ONE_REPLICA) or len(tried) > 1:
            return False
        others = {each: channel for each, channel in channels.by_target.items() if each not in tried}
        another_is_well = any(self._breakers[each].is_closed and _doubt(others[each]) < _LOST for each in others)
        return another_is_well and (not self._breakers[tried[-1]].is_closed or self._budget.failed())

    def _choose(self, channels: Channels, tried: Sequence[str], turn: int) -> str:
        """Returns the next replica in turn among those most likely to answer.

        A replica with several consecutive failures comes last for a while, even if it is connected; then one call
        probes it, but never as a retry. Otherwise connected comes before connecting, and connecting before lost.
        """
        now = monotonic()
        doubts = {}
        for each, channel in channels.by_target.items():
            breaker = self._breakers[each]
            left_out = not breaker.is_closed if tried else breaker.is_open(now)
            doubts[each] = (left_out, _doubt(channel))
        untried = {each: doubt for each, doubt in doubts.items() if each not in tried} or doubts
        best = [each for each, doubt in untried.items() if doubt == min(untried.values())]
        return best[turn % len(best)]


def _is_cancelled(task: "asyncio.Task[Any] | None") -> bool:
    """Returns True if the task itself is being cancelled; Python 3.10 cannot tell."""
    return bool(getattr(task, "cancelling", int)())


def _doubt(channel: grpc.aio.Channel) -> int:
    state = channel.get_state(try_to_connect=True)
    return {grpc.ChannelConnectivity.READY: 0, grpc.ChannelConnectivity.TRANSIENT_FAILURE: _LOST}.get(state, 1)
