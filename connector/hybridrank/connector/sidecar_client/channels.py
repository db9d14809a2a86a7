"""gRPC channels to every sidecar, in one event loop; closed before this process forks.

gRPC does not survive a fork with an open channel: its threads are not copied, so the first call of the child hangs or
crashes. Before a fork every loop therefore closes its channels. Pending calls are retried after the fork, and the child
opens its own channels. If that is not possible, because the fork happens inside a loop with running calls, the child's
calls are refused at once. gRPC may end such a child earlier: its threads start again there and find a call half done.
"""

import asyncio

# Registers a hook that takes a lock which loops need to start a thread. Hooks run in reverse order, so it must be
# registered before ours: otherwise the fork holds that lock while it waits for the loops.
import concurrent.futures.thread  # noqa: F401
import os
import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import ClassVar
from weakref import WeakSet

import grpc

from hybridrank.common.per_loop import PerLoop
from hybridrank.connector.errors import SidecarUnreachable
from hybridrank.connector.sidecar_client.targets import is_this_machine

__all__ = ["Channels", "open_channels", "wait_for_fork"]

_MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # 1,000 documents of 20,000 words are about half of it
# All addresses of a name take turns, except one whose health is NOT_SERVING (it is shutting down).
_SERVICE_CONFIG = '{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}'
_OPTIONS = (
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.service_config", _SERVICE_CONFIG),
    # A returning sidecar is found within a second; gRPC's own default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name also the time limit of one connection attempt: a busy machine needs more than 100 ms.
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_NO_PROXY = (("grpc.enable_http_proxy", 0),)
_MOST_WAITS = 1000  # of a millisecond, for calls and gRPC's threads to end before a fork
# gRPC ends in threads of its own after the last channel is closed. Its locks are held meanwhile; a child that inherits
# a held lock hangs. Names of threads, as Linux shortens them.
_GRPC_THREADS = {"grpc_shutdown", "grpc_global_tim", "event_engine", "lifeguard"}


class Channels:
    """`by_target` holds the channels; `calls` counts the running calls, `given_up` that they end for a fork."""

    def __init__(self, targets: Sequence[str], credentials: grpc.ChannelCredentials | None) -> None:
        self.by_target = {each: _channel(each, credentials) for each in targets}
        self.calls = 0
        self.given_up = False

    async def close(self) -> None:
        """Closes the channels."""
        for each in self.by_target.values():
            await each.close()

    async def give_up(self) -> bool:
        """Closes the channels and waits for their calls to end; returns True if they did."""
        self.given_up = True
        await self.close()
        self.by_target.clear()
        for _ in range(_MOST_WAITS):
            if not self.calls:
                return True
            await asyncio.sleep(0.001)
        return False

    def drop(self) -> bool:
        """Closes the channels without waiting; does nothing during a call, which keeps its channel."""
        if not self.calls:
            self.by_target.clear()
        return not self.calls


def _channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    options = [*_OPTIONS, *(_NO_PROXY if is_this_machine(target) else ())]
    if credentials:
        return grpc.aio.secure_channel(target, credentials, options=options)
    return grpc.aio.insecure_channel(target, options=options)


def open_channels(targets: Sequence[str], credentials: grpc.ChannelCredentials | None) -> PerLoop[Channels]:
    """Returns the channels for each event loop."""
    channels = PerLoop(lambda: Channels(targets, credentials), Channels.close)
    _Forks.all_channels.add(channels)
    return channels


async def wait_for_fork() -> None:
    """Returns when no fork is in progress. Raises SidecarUnreachable in a child that cannot use gRPC."""
    while _Forks.under_way:  # noqa: ASYNC110  a fork takes milliseconds, and ends in another thread
        await asyncio.sleep(0.001)
    if _Forks.unusable:
        raise SidecarUnreachable(
            "this process was forked in the middle of calls to a sidecar, which gRPC does not survive; fork before the"
            " first search, or start processes by the method spawn or forkserver"
        )


class _Forks:
    """Hooks that `os.fork` calls before and after."""

    all_channels: ClassVar[WeakSet[PerLoop[Channels]]] = WeakSet()
    under_way = False
    clean = True
    unusable = False

    @classmethod
    def before(cls) -> None:
        cls.under_way = True
        given_up = [_given_up(loop, each) for each in list(cls.all_channels) for loop in list(each.by_loop)]
        cls.clean = all(given_up)
        if given_up and cls.clean:
            _wait_for_threads()

    @classmethod
    def in_parent(cls) -> None:
        cls.under_way = False

    @classmethod
    def in_child(cls) -> None:
        cls.under_way, cls.unusable = False, cls.unusable or not cls.clean


def _wait_for_threads() -> None:
    """Returns when gRPC's threads have ended, or after a second: they stay if other code of this process uses gRPC."""
    for _ in range(_MOST_WAITS):
        if _GRPC_THREADS.isdisjoint(map(_name, Path("/proc/self/task").glob("*/comm"))):
            return
        time.sleep(0.001)


def _name(thread: Path) -> str:
    try:
        return thread.read_text().strip()
    except OSError:  # it has ended
        return ""


def _given_up(loop: asyncio.AbstractEventLoop, channels: PerLoop[Channels]) -> bool:
    """Closes the channels of one loop, in that loop; returns True if none of them remains."""

    async def give_up() -> bool:
        found = channels.by_loop.pop(loop, None)
        return found is None or await found.give_up()

    if loop.is_running() and asyncio._get_running_loop() is not loop:
        future = asyncio.run_coroutine_threadsafe(give_up(), loop)
        try:
            return future.result(timeout=1.0)
        except FutureTimeout:
            return False
    found = channels.by_loop.get(loop)
    if found is None or found.drop():
        channels.by_loop.pop(loop, None)
        return True
    return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_Forks.before, after_in_parent=_Forks.in_parent, after_in_child=_Forks.in_child)
