"""Pairs a second: the sidecar over gRPC, the bare ONNX session, and sentence-transformers, in turn in one run.

    make bench-sidecar COLLECTION=../scifact PEER_PYTHON=~/peers/bin/python PEER_MODEL=~/models/my-cross-encoder

100 documents of mixed length from a real collection and one of its queries, the same thread budget for all. PEER_MODEL
is a Hugging Face cross-encoder folder of the same shape as the one that is served (MiniLM-L6); PEER_PYTHON has
sentence-transformers. Without them only our own rows are measured.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from connector import SidecarClient
from connector.passages import passage_text
from connector.rescore.base import Passage
from evaluation.collections import BeirFolder
from evaluation.environment import describe_environment
from evaluation.report import ReportTable, markdown
from hybridrank.sidecar_process import sidecar_process
from models import SHIPPED_MODELS
from sidecar.rerankers.cross_encoder import CrossEncoderReranker
from sidecar.runtime import model_folder
from sidecar.runtime.cpu import usable_cores

MODEL = "cross-encoder-minilm-l6"
DOCUMENTS = 100
CALLERS = (1, 4, 16)
RESULTS = Path(__file__).parent / "results"
Contender = Callable[[], float]  # seconds for DOCUMENTS pairs


def main() -> None:
    arguments = parse()
    query, passages = real_pairs(arguments.collection)
    threads = usable_cores()
    with ExitStack() as stack:
        address = stack.enter_context(
            sidecar_process(
                settings={"max_queue_tokens": "10000000", "threads": str(threads), "score_cache_bytes": "0"}
            )
        ).address
        bare, tokens = bare_session(query, passages, threads)
        contenders: dict[str, Contender] = {"bare ONNX session, int8": bare}
        for callers in CALLERS:
            contenders[f"sidecar over gRPC, int8, {callers} caller{'s' if callers > 1 else ''}"] = over_grpc(
                stack, address, query, passages, callers
            )
        if arguments.peer_python:
            name, peer = sentence_transformers(stack, arguments, query, passages, threads)
            contenders[f"{name}, fp32, predict()"] = peer
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(arguments.rounds + 1):
            for name, contender in contenders.items():
                taken = contender()
                print(f"round {number} of {arguments.rounds}: {name}: {DOCUMENTS / taken:.0f} pairs/s", flush=True)
                if number:  # the first round warms up
                    seconds[name].append(taken)
        models = asyncio.run(list_models(address))
    write(seconds, tokens, threads, models)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", type=Path, required=True, help="a folder in BEIR's layout")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peer-python", type=Path, help="a Python that has sentence-transformers")
    parser.add_argument("--peer-model", type=Path, help="a Hugging Face cross-encoder folder")
    return parser.parse_args()


def real_pairs(collection: Path) -> tuple[str, list[Passage]]:
    """One query and every tenth of the first documents, as they stand: short and long together."""
    folder = BeirFolder(collection)
    documents = [each for number, each in enumerate(folder.documents()) if number % 10 == 0][:DOCUMENTS]
    query = next(iter(folder.queries().values()))
    return query, [Passage(each.doc_id, passage_text(each.source)) for each in documents]


def bare_session(query: str, passages: list[Passage], threads: int) -> tuple[Contender, list[int]]:
    """The model alone, pairs tokenised beforehand, one run a pair on each core; and how long the pairs are."""
    reranker = CrossEncoderReranker(model_folder.read(SHIPPED_MODELS / MODEL))
    pairs = sorted(reranker.tokenize(query, [each.text for each in passages]), key=len, reverse=True)
    pool = ThreadPoolExecutor(threads)

    def run() -> float:
        started = perf_counter()
        list(pool.map(lambda pair: reranker.score([pair]), pairs))
        return perf_counter() - started

    return run, [len(pair) for pair in pairs]


def over_grpc(stack: ExitStack, address: str, query: str, passages: list[Passage], callers: int) -> Contender:
    """Each caller sends all passages with a query of its own, so that none can get another's answer."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    client = SidecarClient(address)
    number = 0

    async def call() -> None:
        nonlocal number
        number += 1
        await client.rescore(f"{query} {number}", passages, model=MODEL, timeout_s=600)

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
    return run


def sentence_transformers(
    stack: ExitStack, arguments: argparse.Namespace, query: str, passages: list[Passage], threads: int
) -> tuple[str, Contender]:
    worker = Path(__file__).parent / "peers" / "sentence_transformers_worker.py"
    command = [str(arguments.peer_python), str(worker), str(arguments.peer_model), str(threads)]
    process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    stack.callback(process.stdin.close)

    def ask(line: str) -> str:
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return process.stdout.readline()

    about = json.loads(ask(json.dumps({"query": query, "passages": [each.text for each in passages]})))
    return about["name"], lambda: float(ask("go"))


async def list_models(address: str):
    async with SidecarClient(address) as client:
        return await client.models()


def write(seconds: dict[str, list[float]], tokens: list[int], threads: int, models) -> None:
    """benchmarks/results/sidecar.json, and the same as a Markdown table beside it."""
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    bare = next(iter(medians.values()))
    peer = next((value for name, value in medians.items() if name.startswith("sentence-transformers")), None)
    rows = tuple(
        (
            name,
            f"{DOCUMENTS / taken:.0f}",
            f"{1000 * taken:.0f}",
            f"{1000 * min(seconds[name]):.0f}-{1000 * max(seconds[name]):.0f}",
            f"{bare / taken:.2f}",
            f"{peer / taken:.2f}" if peer else "–",
        )
        for name, taken in medians.items()
    )
    headers = ("what", "pairs/s", "ms for 100", "range", "× bare", "× peer")
    about = describe_environment(None, models) | {
        "threads": threads,
        "tokens": {"mean": statistics.mean(tokens), "max": max(tokens), "min": min(tokens)},
        "rounds": len(next(iter(seconds.values()))),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sidecar.json").write_text(json.dumps({"seconds": seconds, **about}, indent=1) + "\n")
    page = (
        "# The sidecar's throughput\n\nWritten by `make bench-sidecar`.\n\n"
        f"{DOCUMENTS} pairs of {statistics.mean(tokens):.0f} tokens on average, {max(tokens)} at most;"
        f" {threads} threads; {about['hardware']['cpu']}; median of {about['rounds']} rounds, in turn in one run.\n\n"
        f"{markdown(ReportTable(headers, rows))}"
    )
    (RESULTS / "sidecar.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
