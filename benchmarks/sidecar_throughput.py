"""Pairs a second: the sidecar over gRPC, the bare ONNX session, and its peers, in turn in one run.

    make bench-peers PEERS=~/peers
    make bench-sidecar COLLECTION=../scifact PEERS=~/peers

100 documents of mixed length from a real collection and one of its queries, the same weights and the same thread budget
for all. The peers run at fp32, since they serve no int8 by themselves: the weights as int8 rounded them, in fp32
arithmetic. benchmarks/peers says what is in PEERS; without it only our own rows are measured.
"""

import argparse
import asyncio
import os
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.contenders import Contender, bare_session, over_grpc, peer
from benchmarks.results_file import Aim, Section, update
from hybridrank.connector import SidecarClient
from hybridrank.connector.passages import passage_text
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.model_files import model_folder
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.child import sidecar_process
from hybridrank.sidecar.runtime.cpu import usable_cores

MODEL = "cross-encoder-minilm-l6"
CALLERS = (1, 4, 16)
BARE = "bare ONNX session, int8"
GRPC = {callers: f"sidecar over gRPC, int8, {callers} caller{'s' if callers > 1 else ''}" for callers in CALLERS}
SENTENCE_TRANSFORMERS = "sentence-transformers, fp32, predict()"
INFINITY = {engine: f"infinity-emb {engine}, fp32, rerank()" for engine in ("torch", "optimum")}  # torch is its default
AT_LEAST = {SENTENCE_TRANSFORMERS: 3, **dict.fromkeys(INFINITY.values(), 2)}  # × the sidecar with one caller
OF_BARE = 0.9  # with 4 and 16 callers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", type=Path, required=True, help="a folder in BEIR's layout")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--peers", type=Path, help="the folder that `make bench-peers` made")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    query, passages = real_pairs(arguments.collection, arguments.documents)
    threads = usable_cores()
    with ExitStack() as stack:
        settings = {"max_queue_tokens": "10000000", "threads": str(threads), "score_cache_bytes": "0"}
        address = stack.enter_context(sidecar_process(settings=settings)).address
        bare, tokens = bare_session(model_folder.read(SHIPPED_MODELS / MODEL), query, passages, threads)
        ours = {BARE: bare}
        for callers, name in GRPC.items():
            ours[name] = over_grpc(stack, address, MODEL, query, passages, callers)
        contenders = ours | (peers(stack, arguments.peers, query, passages, threads) if arguments.peers else {})
        seconds = in_turn(contenders, arguments.rounds, len(passages))
        models = asyncio.run(list_models(address))
    environment = describe_environment(None, models) | {
        "onnxruntime": version("onnxruntime"),
        "threads": threads,
        "load_before": load,
        "peers": {name: each.versions for name, each in contenders.items() if each.versions},
    }
    print(update("throughput", section(contenders, seconds, tokens, environment)))


def real_pairs(collection: Path, count: int) -> tuple[str, list[Passage]]:
    """One query and every tenth of the first documents, as they stand: short and long together."""
    folder = BeirFolder(collection)
    documents = [each for number, each in enumerate(folder.documents()) if number % 10 == 0][:count]
    query = next(iter(folder.queries().values()))
    return query, [Passage(each.doc_id, passage_text(each.source)) for each in documents]


def peers(
    stack: ExitStack, folder: Path, query: str, passages: Sequence[Passage], threads: int
) -> dict[str, Contender]:
    """Those that are in `folder`."""
    texts = [each.text for each in passages]
    arguments = [str(folder / "fp32"), str(threads)]
    found = {}
    if (folder / "fp32-onnx").is_dir():
        fp32 = model_folder.read(folder / "fp32-onnx")
        found["bare ONNX session, fp32"], _ = bare_session(fp32, query, passages, threads)
    if (python := folder / "sentence-transformers" / "bin" / "python").exists():
        worker = "sentence_transformers_worker.py"
        found[SENTENCE_TRANSFORMERS] = peer(stack, python, worker, arguments, query, texts)
    if (python := folder / "infinity" / "bin" / "python").exists():
        for engine, name in INFINITY.items():
            found[name] = peer(stack, python, "infinity_worker.py", [*arguments, engine], query, texts)
    return found


def in_turn(contenders: Mapping[str, Contender], rounds: int, documents: int) -> dict[str, list[float]]:
    """Seconds of each contender in each round, after one round that warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            taken = contender.run()
            print(f"round {number} of {rounds}: {name}: {documents / taken:.3g} pairs/s", flush=True)
            if number:
                seconds[name].append(taken)
    return seconds


async def list_models(address: str):
    async with SidecarClient(address) as client:
        return await client.models()


def section(
    contenders: Mapping[str, Contender],
    seconds: Mapping[str, Sequence[float]],
    tokens: Sequence[int],
    environment: Mapping[str, object],
) -> Section:
    others = [name for name in AT_LEAST if name in seconds]
    rows = tuple(
        (
            name,
            f"{len(tokens) / statistics.median(taken):.0f}",
            f"{1000 * statistics.median(taken):.0f}",
            f"{1000 * min(taken):.0f}-{1000 * max(taken):.0f}",
            *(f"{faster(taken, seconds[other]):.2f}" for other in (BARE, *others)),
            correlation(contenders[name].scores, contenders[BARE].scores),
        )
        for name, taken in seconds.items()
    )
    headers = (
        "what",
        "pairs/s",
        f"ms for {len(tokens)}",
        "range",
        "× bare",
        *(f"× {each.split(',')[0]}" for each in others),
        "r",
    )
    aims = [
        Aim(f"{GRPC[callers]}: × bare", faster(seconds[GRPC[callers]], seconds[BARE]), OF_BARE) for callers in (4, 16)
    ]
    aims += [
        Aim(f"{GRPC[1]}: × {other}", faster(seconds[GRPC[1]], seconds[other]), AT_LEAST[other]) for other in others
    ]
    return Section(
        "Throughput",
        environment,
        {
            "documents": len(tokens),
            "tokens": {"mean": statistics.mean(tokens), "min": min(tokens), "max": max(tokens)},
            "seconds": seconds,
        },
        (
            f"Written by `make bench-sidecar`: {len(tokens)} pairs of {statistics.mean(tokens):.0f} tokens on average,"
            f" {max(tokens)} at most; {environment['threads']} threads; {environment['hardware']['cpu']}; median of"
            f" {len(seconds[BARE])} rounds, in turn in one run, and × the median of the rounds' ratios. Load average"
            f" before it began: {environment['load_before']:.2f}.",
            "fp32 means the same weights, as int8 rounded them, in fp32 arithmetic. r is the correlation of the logits"
            " with those of the first row. infinity-emb runs without its HTTP server; its engine optimum hands no"
            " segment ids to the model, so its scores are others.",
            f"Versions: ours Python {environment['python']}, onnxruntime {environment['onnxruntime']}; "
            + "; ".join(f"{name.split(',')[0]} {listed(found)}" for name, found in environment["peers"].items())
            + ".",
        ),
        ReportTable(headers, rows),
        tuple(aims),
    )


def faster(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Returns the speed-up, as the median over rounds: what slows a round down slows both."""
    return statistics.median(their / our for our, their in zip(ours, theirs, strict=True))


def listed(versions: Mapping[str, str]) -> str:
    return f"({', '.join(map(' '.join, versions.items()))})"


def correlation(scores: Sequence[float], wanted: Sequence[float]) -> str:
    return f"{np.corrcoef(scores, wanted)[0, 1]:.3f}" if scores else "–"


if __name__ == "__main__":
    main()
