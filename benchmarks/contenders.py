"""Who is measured: a contender scores the same pairs each time it is called, and returns the seconds that took."""

import asyncio
import json
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from hybridrank.connector import SidecarClient
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.model_files.model_folder import ModelFolder
from hybridrank.sidecar.rerankers.cross_encoder import CrossEncoderReranker

WORKERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Contender:
    """Seconds for the pairs; the logits it gives them, where it tells; the versions of what runs it, where not ours."""

    run: Callable[[], float]
    scores: Sequence[float] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def bare_session(
    folder: ModelFolder, query: str, passages: Sequence[Passage], threads: int
) -> tuple[Contender, list[int]]:
    """The model alone, pairs tokenised beforehand, one run a pair on each core; and how long the pairs are."""
    reranker = CrossEncoderReranker(folder)
    pairs = reranker.tokenize(query, [each.text for each in passages])
    longest_first = sorted(pairs, key=len, reverse=True)
    pool = ThreadPoolExecutor(threads)

    def run() -> float:
        started = perf_counter()
        list(pool.map(lambda pair: reranker.score([pair]), longest_first))
        return perf_counter() - started

    scores = [float(score) for (score,) in pool.map(lambda pair: reranker.score([pair]), pairs)]
    return Contender(run, scores), [len(pair) for pair in pairs]


def over_grpc(
    stack: ExitStack, address: str, model: str, query: str, passages: Sequence[Passage], callers: int
) -> Contender:
    """Each caller sends all passages with a query of its own, so that none can get another's answer.

    Seconds a caller: what they all took by their number.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    client = SidecarClient(address)
    number = 0

    async def call() -> None:
        nonlocal number
        number += 1
        await client.rescore(f"{query} {number}", passages, model=model, timeout_s=600, max_chunks=1)

    async def all_callers() -> None:
        await asyncio.gather(*(call() for _ in range(callers)))

    def wait(work) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result()

    def run() -> float:
        started = perf_counter()
        wait(all_callers())
        return (perf_counter() - started) / callers

    def close() -> None:
        wait(client.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    stack.callback(close)
    return Contender(run)


def peer(stack: ExitStack, python: Path, worker: str, arguments: Sequence[str], query: str, texts: list[str]):
    """A worker of `benchmarks/peers`, run by an interpreter of its own; it ends with `stack`."""
    command = [str(python), str(WORKERS / worker), *arguments]
    print(f"starting {' '.join(command)}", flush=True)
    process = stack.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    )
    stack.callback(process.stdin.close)

    def ask(line: str):
        process.stdin.write(line + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{worker} ended with status {process.wait()}; to see why: {' '.join(command)}")
        return json.loads(answer)

    about = ask(json.dumps({"query": query, "passages": texts}))
    return Contender(lambda: ask("go"), about["scores"], about["versions"])
