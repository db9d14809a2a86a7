"""All that the sidecar does, mixed, for half an hour, with a model replaced every minute: what fails, what memory does.

    make bench-soak COLLECTION=../scifact

A few callers ask without a pause: both rerankers with 1 to 100 pairs, queries and documents to encode, over gRPC and
HTTP, some with best_effort and little time. Meanwhile new versions of both models appear in turn in the folder that is
watched, each a copy of the one before under another number, and take over. Any call that does not bring every result it
should is a failure, but for calls with best_effort: these may bring fewer, or be told at once that their time is too
short. The score cache is small, so that it is full before memory is compared.
"""

import argparse
import asyncio
import json
import random
import shutil
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.error import HTTPError

import grpc

from benchmarks.results_file import Aim, Section, update
from benchmarks.sidecar_load import Messages, WatchedSidecar, environment, watched_sidecar
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.model_files import model_folder
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.protocol import rerank_pb2_grpc

MODELS = ("cross-encoder-minilm-l6", "encoder-minilm-l6")
SETTINGS = {"score_cache_bytes": 1 << 20, "watch_models_s": 1}
CALLERS = 6
WARM_UP = 0.2  # share of the time after which memory is compared
RELOAD_TIMEOUT_S = 120
FIRST_VERSION = 1000  # above those of the shipped models
BEST_EFFORT_S = 0.5


@dataclass
class Outcome:
    """Results of the calls: how many of each kind, the failures, and the resident bytes once a second."""

    calls: Counter[str] = field(default_factory=Counter)
    partial: int = 0
    no_time: int = 0
    failures: list[str] = field(default_factory=list)
    reload_s: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    exit_code: int | None = None

    def growth(self) -> float:
        """The median of the last third of the time after warming up over that of its first third, less 1.

        Thirds, because what is resident goes up and down by a third with the requests of a moment: tenths differed by a
        sixth in a run whose memory had no trend.
        """
        warm = self.memory[int(WARM_UP * len(self.memory)) :]
        third = max(1, len(warm) // 3)
        return median(warm[-third:]) / median(warm[:third]) - 1


class Traffic:
    """The kinds of calls; each makes one, and raises when it does not bring what it should."""

    def __init__(self, sidecar: WatchedSidecar, channel: grpc.aio.Channel, messages: Messages, most_pairs: int) -> None:
        self._url = sidecar.url
        self._reranker = rerank_pb2_grpc.RerankerStub(channel)
        self._encoder = rerank_pb2_grpc.EncoderStub(channel)
        self._messages = messages
        self._most_pairs = most_pairs
        self._chance = random.Random(1)
        self.partial = 0
        self.no_time = 0
        self.kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "rerank, cross-encoder": lambda: self._rerank("cross-encoder"),
            "rerank, late interaction": lambda: self._rerank("encoder"),
            "rerank, best effort": lambda: self._rerank("cross-encoder", best_effort=True),
            "encode a query": lambda: self._encode(1, pb.TEXT_KIND_QUERY),
            "encode documents": lambda: self._encode(self._pairs(), pb.TEXT_KIND_DOCUMENT),
            "HTTP rerank": self._http_rerank,
            "HTTP rerank, best effort": lambda: self._http_rerank(best_effort=True),
            "HTTP embeddings": self._http_embeddings,
        }

    def _pairs(self) -> int:
        """Many are few, a few are many: 1 to `most_pairs`, every magnitude alike."""
        return round(self._most_pairs ** self._chance.random())

    async def _rerank(self, model: str, *, best_effort: bool = False) -> None:
        pairs = self._pairs()
        request = pb.RerankRequest.FromString(self._messages.rerank(pairs, model, best_effort=best_effort))
        # Far more than it takes: what is tried is that nothing goes wrong, not how fast it is.
        reply = await self._reranker.Rerank(request, timeout=600)
        self._expect(pairs, len(reply.results), complete=reply.complete)

    async def _encode(self, texts: int, kind: pb.TextKind) -> None:
        sent = [self._messages.query()] if kind == pb.TEXT_KIND_QUERY else self._messages.texts(texts)
        reply = await self._encoder.Encode(pb.EncodeRequest(model="encoder", texts=sent, kind=kind))
        self._expect(texts, len(reply.embeddings))

    async def _http_rerank(self, *, best_effort: bool = False) -> None:
        documents = self._messages.texts(self._pairs())
        body = {"query": self._messages.query(), "documents": documents, "best_effort": best_effort}
        # A budget that the sidecar keeps and the caller does not: a partial answer may arrive after it.
        headers = {"x-timeout-ms": str(round(1000 * BEST_EFFORT_S))} if best_effort else {}
        try:
            results = (await self._post("/v1/rerank", body, headers))["results"]
        except HTTPError as error:
            if not (best_effort and error.code == HTTPStatus.GATEWAY_TIMEOUT):
                raise
            self.no_time += 1
            return
        self._expect(len(documents), len(results), complete=not best_effort or len(results) == len(documents))

    async def _http_embeddings(self) -> None:
        texts = self._messages.texts(self._pairs())
        reply = await self._post("/v1/embeddings", {"input": texts, "model": "encoder"}, {})
        self._expect(len(texts), len(reply["data"]))

    async def _post(self, path: str, body: dict, headers: dict[str, str]) -> dict:
        request = urllib.request.Request(self._url + path, json.dumps(body).encode(), headers)

        def post() -> dict:
            with urllib.request.urlopen(request) as reply:
                return json.load(reply)

        return await asyncio.to_thread(post)

    def _expect(self, sent: int, came: int, *, complete: bool = True) -> None:
        self.partial += not complete
        if complete and came != sent:
            raise ValueError(f"{came} results for {sent} texts")


async def soak(
    sidecar: WatchedSidecar,
    root: Path,
    messages: Messages,
    *,
    seconds: float,
    reload_every_s: float,
    most_pairs: int = 100,
    report: Callable[[str], None] = print,
) -> Outcome:
    """Ask and replace models for so many seconds; `root` is the folder that the sidecar watches."""
    outcome = Outcome()
    chance = random.Random(2)
    async with grpc.aio.insecure_channel(sidecar.address) as channel:
        traffic = Traffic(sidecar, channel, messages, most_pairs)
        registry = rerank_pb2_grpc.ModelRegistryStub(channel)
        ends_at = time.monotonic() + seconds
        replacements = int(seconds / reload_every_s)

        def running() -> bool:
            return time.monotonic() < ends_at or len(outcome.reload_s) < replacements

        async def caller() -> None:
            while running():
                kind = chance.choice(list(traffic.kinds))
                try:
                    await traffic.kinds[kind]()
                except Exception as error:
                    outcome.failures.append(f"{kind}: {error!r}")
                outcome.calls[kind] += 1

        async def reloads() -> None:
            for number in range(replacements):
                await asyncio.sleep(reload_every_s / 2)  # the last one is well within the time
                outcome.reload_s.append(
                    await replace_model(registry, root, MODELS[number % len(MODELS)], FIRST_VERSION + number)
                )
                await asyncio.sleep(max(0.0, reload_every_s / 2 - outcome.reload_s[-1]))

        async def memory() -> None:
            while running():
                outcome.memory.append(sidecar.resident_bytes())
                if len(outcome.memory) % 10 == 0:
                    report(
                        f"{ends_at - time.monotonic():.0f} s left: {outcome.calls.total()} calls, "
                        f"{len(outcome.failures)} failed, "
                        f"{len(outcome.reload_s)} models replaced, {outcome.memory[-1] >> 20} MiB"
                    )
                await asyncio.sleep(1)

        await asyncio.gather(memory(), reloads(), *(caller() for _ in range(CALLERS)))
        outcome.partial, outcome.no_time = traffic.partial, traffic.no_time
    return outcome


def watched_folder(root: Path) -> None:
    """Put the shipped models there."""
    for name in MODELS:
        shutil.copytree(SHIPPED_MODELS / name, root / name / "shipped")


async def replace_model(registry: rerank_pb2_grpc.ModelRegistryStub, root: Path, name: str, version: int) -> float:
    """Have a new version of the model take over from the one that is there; returns after how many seconds it did."""
    (old,) = (root / name).iterdir()
    incoming = root / ".incoming"
    await asyncio.to_thread(shutil.copytree, old, incoming)
    toml = model_folder.read(incoming).toml.model_copy(update={"version": str(version)})
    model_folder.write(incoming, toml)
    started_at = time.monotonic()
    incoming.rename(root / name / str(version))
    while (await registry.Get(pb.GetModelRequest(model=name))).version != str(version):
        if time.monotonic() - started_at > RELOAD_TIMEOUT_S:
            raise TimeoutError(f"{name} {version} does not serve after {RELOAD_TIMEOUT_S} s; the log says why")
        await asyncio.sleep(0.1)
    seconds = time.monotonic() - started_at
    await asyncio.to_thread(shutil.rmtree, old)
    return seconds


def section(outcome: Outcome, minutes: float, about: dict) -> Section:
    """The figures as the results page shows them."""
    megabytes = [each >> 20 for each in outcome.memory]
    warm = megabytes[int(WARM_UP * len(megabytes)) :]
    rows = tuple((kind, str(count)) for kind, count in sorted(outcome.calls.items()))
    measured = {
        "minutes": minutes,
        "calls": dict(outcome.calls),
        "partial": outcome.partial,
        "no_time": outcome.no_time,
        "failures": outcome.failures[:20],
        "reload_s": outcome.reload_s,
        "resident_mb_by_minute": [round(median(megabytes[at : at + 60])) for at in range(0, len(megabytes), 60)],
        "exit_code": outcome.exit_code,
    }
    paragraphs = (
        "Written by `make bench-soak`.",
        f"{CALLERS} callers without a pause for {minutes:g} minutes, {outcome.calls.total()} calls. Of those with best "
        f"effort {outcome.partial} were answered in part; {outcome.no_time} were told at once that there was no time. "
        f"{len(outcome.reload_s)} times a new version of a model took over, after "
        f"{median(outcome.reload_s or [0]):.1f} s at the median. Resident memory was {min(warm)} to {max(warm)} MiB "
        f"after the first fifth of the time. Exit code at the end: {outcome.exit_code}.",
    )
    aims = (
        Aim("failed calls", len(outcome.failures), 0, at_most=True),
        Aim("growth of memory after warming up", outcome.growth(), 0.05, at_most=True),
    )
    return Section("Soak", about, measured, paragraphs, ReportTable(("what", "calls"), rows), aims)


def main() -> None:
    arguments = parse()
    messages = Messages.about(arguments.collection)
    with TemporaryDirectory() as folder:
        root = Path(folder) / "models"
        watched_folder(root)
        with watched_sidecar(Path(folder) / "log", models=root, **SETTINGS) as sidecar:
            about = asyncio.run(environment(sidecar))
            outcome = asyncio.run(
                soak(
                    sidecar,
                    root,
                    messages,
                    seconds=60 * arguments.minutes,
                    reload_every_s=arguments.reload_every_s,
                    report=lambda line: print(line, flush=True),
                )
            )
        outcome.exit_code = sidecar.exit_code
        if outcome.failures:
            print(*outcome.failures[:20], "the end of the sidecar's log:", sidecar.log.read_text()[-5000:], sep="\n")
    print(update("soak", section(outcome, arguments.minutes, about), arguments.results))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", type=Path, required=True, help="a folder in BEIR's layout")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--reload-every-s", type=float, default=60)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="where to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
