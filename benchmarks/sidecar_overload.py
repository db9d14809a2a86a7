"""Ten times what the sidecar can do, for a minute: what is accepted, in time or late, and how soon the rest is refused.

    make bench-overload COLLECTION=../scifact

First its capacity is measured: pairs a second with four callers that always wait. Then calls of 5, 25 and 100 pairs
arrive at random (a Poisson process, whatever becomes of those before), in all TIMES the capacity. A call may take
three times what it would take on an idle sidecar, and a tenth of a second more. What became of it is what its caller
saw, in time or not, and what the sidecar's log says: accepted, or refused and after how many milliseconds. The caller's
milliseconds hold the way there and back too, on the cores that the sidecar computes on. Memory is compared at rest.
"""

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc

from benchmarks.results_file import Aim, Section, update
from benchmarks.sidecar_load import RERANK, Messages, WatchedSidecar, environment, percentile, watched_sidecar
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.sidecar.runtime.memory import EVERY_S

SIZES = {5: 0.5, 25: 0.3, 100: 0.2}  # pairs in a call: share of the calls
PATIENCE = 3  # times what a call takes on an idle sidecar
PATIENCE_S = 0.1
REST_S = EVERY_S + 2  # before memory is compared: by then what was freed has been given back
REFUSALS = ("Overloaded", "DeadlineUnreachable")


@dataclass(frozen=True)
class Call:
    """One call as its caller saw it. `sent_late_s` is how long after its time it was sent: the load's own queueing."""

    request_id: str
    pairs: int
    in_time: bool
    seconds: float
    sent_late_s: float


@dataclass
class Found:
    """Measurements: pairs a second at capacity, every call, and the resident bytes once a second."""

    capacity: float
    calls: list[Call]
    memory: list[int]


def main() -> None:
    arguments = parse()
    messages = Messages.about(arguments.collection)
    with TemporaryDirectory() as folder:
        with watched_sidecar(Path(folder) / "log") as sidecar:
            about = asyncio.run(environment(sidecar))
            found = asyncio.run(measure(sidecar, messages, arguments))
        logged = sidecar.calls()
    print(update("overload", section(found, logged, arguments.seconds, sidecar.exit_code, about), arguments.results))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", type=Path, required=True, help="a folder in BEIR's layout")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--capacity-seconds", type=float, default=20)
    parser.add_argument("--times", type=float, default=10, help="what is offered, by what it can do")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="where to write")
    return parser.parse_args()


async def measure(sidecar: WatchedSidecar, messages: Messages, arguments: argparse.Namespace) -> Found:
    async with grpc.aio.insecure_channel(sidecar.address) as channel:
        load = Load(channel.unary_unary(RERANK), messages)
        print(f"measuring what it can do, for {arguments.capacity_seconds:g} s", flush=True)
        capacity = await load.pairs_a_second(arguments.capacity_seconds)
        print(f"{capacity:.1f} pairs/s; offering {arguments.times:g} times as many after a rest", flush=True)
        await asyncio.sleep(REST_S)
        memory: list[int] = []
        watching = asyncio.create_task(watch(sidecar, memory))
        calls = await load.offer(capacity, arguments.times, arguments.seconds)
        watching.cancel()
        await asyncio.sleep(REST_S)
        memory.append(sidecar.resident_bytes())
    return Found(capacity, calls, memory)


async def watch(sidecar: WatchedSidecar, memory: list[int]) -> None:
    """Note the resident bytes once a second."""
    while True:
        memory.append(sidecar.resident_bytes())
        await asyncio.sleep(1)


class Load:
    """Sends calls of SIZES, always the same ones in the same order."""

    def __init__(self, rerank: Callable[..., Awaitable[bytes]], messages: Messages) -> None:
        self._rerank = rerank
        self._messages = messages
        self._chance = random.Random(1)

    async def pairs_a_second(self, seconds: float, callers: int = 4) -> float:
        """Returns the throughput of so many callers, each of which sends a call once the one before is answered."""
        started = time.monotonic()
        done = 0

        async def caller() -> None:
            nonlocal done
            while time.monotonic() - started < seconds:
                pairs = self._pairs()
                await self._rerank(self._messages.rerank(pairs))
                done += pairs

        await asyncio.gather(*(caller() for _ in range(callers)))
        return done / (time.monotonic() - started)

    async def offer(self, capacity: float, times: float, seconds: float) -> list[Call]:
        """Send calls at random times, whatever becomes of those before, and wait for the last."""
        rate = times * capacity / sum(pairs * share for pairs, share in SIZES.items())
        calls: list[asyncio.Task[Call]] = []
        begun_at = due_at = told_at = time.monotonic()
        while due_at - begun_at < seconds:
            pairs = self._pairs()
            message = self._messages.rerank(pairs)
            await asyncio.sleep(max(0.0, due_at - time.monotonic()))
            timeout_s = PATIENCE * pairs / capacity + PATIENCE_S
            calls.append(asyncio.create_task(self._call(f"load-{len(calls)}", pairs, message, due_at, timeout_s)))
            due_at += self._chance.expovariate(rate)
            if time.monotonic() - told_at > 5:
                told_at = time.monotonic()
                ended = sum(call.done() for call in calls)
                print(f"{told_at - begun_at:.0f} s: {len(calls)} calls sent, {ended} ended", flush=True)
        return await asyncio.gather(*calls)

    async def _call(self, request_id: str, pairs: int, message: bytes, due_at: float, timeout_s: float) -> Call:
        started = time.monotonic()
        try:
            await self._rerank(message, timeout=timeout_s, metadata=(("x-request-id", request_id),))
            in_time = True
        except grpc.aio.AioRpcError as error:
            if error.code() not in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}:
                raise
            in_time = False
        return Call(request_id, pairs, in_time, time.monotonic() - started, started - due_at)

    def _pairs(self) -> int:
        return self._chance.choices(list(SIZES), list(SIZES.values()))[0]


def section(found: Found, logged: dict[str, dict], seconds: float, exit_code: int | None, about: dict) -> Section:
    """The figures, as the results page shows them; `logged` is the sidecar's line of each call by request id."""
    refused = [call for call in found.calls if logged[call.request_id].get("error") in REFUSALS]
    in_time = [call for call in found.calls if call.in_time]
    accepted = len(found.calls) - len(refused)
    server_ms = [logged[call.request_id]["ms"] for call in refused]
    client_ms = [1000 * call.seconds for call in refused]
    late_ms = [1000 * call.sent_late_s for call in found.calls]
    offered, good = (sum(call.pairs for call in calls) / seconds for calls in (found.calls, in_time))
    memory = found.memory
    measured = {
        "capacity_pairs_s": found.capacity,
        "offered_pairs_s": offered,
        "in_time_pairs_s": good,
        "calls": len(found.calls),
        "accepted": accepted,
        "in_time": dict(sorted(Counter(call.pairs for call in in_time).items())),
        "late": dict(sorted(Counter(call.pairs for call in found.calls if call not in {*in_time, *refused}).items())),
        "refused": dict(Counter(logged[call.request_id]["error"] for call in refused)),
        "refused_ms": {"sidecar": spread(server_ms), "caller": spread(client_ms)},
        "sent_late_ms": spread(late_ms),
        "resident_mb": [each >> 20 for each in memory],
        "exit_code": exit_code,
    }
    rows = (
        ("pairs/s it can do", f"{found.capacity:.0f}", "", ""),
        ("pairs/s offered", f"{offered:.0f}", "", ""),
        ("pairs/s answered in time", f"{good:.0f}", "", ""),
        ("calls accepted, of them late", f"{accepted}", f"{accepted - len(in_time)}", ""),
        ("calls refused", f"{len(refused)}", "", ""),
        ("ms to refuse, by the sidecar's log: p50, p99, most", *map("{:.1f}".format, spread(server_ms).values())),
        ("ms to refuse, as callers saw it", *map("{:.1f}".format, spread(client_ms).values())),
        ("ms that calls were sent late, for want of a core", *map("{:.1f}".format, spread(late_ms).values())),
        (
            "MiB resident: at rest before, at rest after, most",
            *(str(each >> 20) for each in (memory[0], memory[-1], max(memory))),
        ),
    )
    paragraphs = (
        "Written by `make bench-overload`.",
        f"Calls of 5, 25 and 100 pairs at random times for {seconds:g} s, {offered / found.capacity:.1f} times what "
        f"the sidecar can do, each with {PATIENCE} times what it takes by itself and {1000 * PATIENCE_S:.0f} ms as its "
        f"deadline. Caller and sidecar share the cores. Exit code at the end: {exit_code}.",
    )
    aims = (
        Aim("share of accepted calls in time", len(in_time) / accepted, 0.99),
        Aim("ms to refuse, 99th percentile, by the sidecar's log", spread(server_ms)["p99"], 20, at_most=True),
        Aim("growth of memory, at rest", memory[-1] / memory[0] - 1, 0.10, at_most=True),
    )
    return Section("Overload", about, measured, paragraphs, ReportTable(("what", "", "", ""), rows), aims)


def spread(values: Sequence[float]) -> dict[str, float]:
    return {name: percentile(values, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("most", 1.0))}


if __name__ == "__main__":
    main()
