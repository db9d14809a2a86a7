"""The cross-encoder of three layers beside the one of six: how much sooner a caller has its scores.

Both serve from one sidecar on every core, asked by one caller at a time, in turn in one run. Titles, sentences and
whole documents of a collection: a pair's fixed costs weigh most where texts are short.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.contenders import bare_session, over_grpc
from benchmarks.results_file import Aim, Section
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

MODELS = ("cross-encoder", "nano")
FOLDERS = dict(zip(MODELS, ("cross-encoder-minilm-l6", "cross-encoder-nano"), strict=True))
WORDS = (10, 50, None)  # of a passage; None: all of it
PASSAGES = 100
ROUNDS = 10
AT_LEAST = 4


def measure(folder: Path) -> Section:
    """`folder` is a collection in BEIR's layout."""
    load = os.getloadavg()[0]
    collection = BeirFolder(folder)
    query = next(iter(collection.queries().values()))
    texts = [passage_text(each.source) for _, each in zip(range(PASSAGES), collection.documents(), strict=False)]
    settings = {"max_queue_tokens": "10000000", "threads": str(usable_cores()), "score_cache_bytes": "0"}
    rows, ratios, seconds = [], [], {}
    with ExitStack() as stack:
        address = stack.enter_context(sidecar_process(settings=settings)).address
        for words in WORDS:
            passages = [Passage(str(place), cut(text, words)) for place, text in enumerate(texts)]
            taken = in_turn(stack, address, query, passages)
            tokens = {name: mean_tokens(name, query, passages) for name in MODELS}
            six, nano = (median(taken[name]) for name in MODELS)
            ratios.append(six / nano)
            seconds[str(words or "all")] = taken
            rows.append(
                (
                    f"{words} words" if words else "whole documents",
                    *(f"{tokens[name]:.0f}" for name in MODELS),
                    *(f"{1000 * value:.0f}" for value in (six, nano)),
                    f"{six / nano:.2f}",
                )
            )
        models = asyncio.run(served(address))
    environment = {**describe_environment(None, models), "load": load}
    return Section(
        "Nano beside the cross-encoder of six layers",
        environment,
        {"rounds": ROUNDS, "collection": collection.name, "seconds": seconds},
        (
            f"{PASSAGES} passages of {collection.name} for one query, one caller over gRPC, {ROUNDS} rounds in turn; "
            "each model reads as many tokens of a pair as it learned to. "
            f"{environment['hardware']['cores']} cores, {environment['hardware']['cpu']}.",
            f"The load average of the machine was {load:.1f} before the run: above 1, read the ratios alone.",
        ),
        ReportTable(
            ("passages", "tokens a pair, six", "nano", "six layers, ms", "nano, ms", "times as fast"), tuple(rows)
        ),
        tuple(Aim(f"times as fast, {row[0]}", ratio, AT_LEAST) for row, ratio in zip(rows, ratios, strict=True)),
    )


def cut(text: str, words: int | None) -> str:
    """Its first `words`."""
    return " ".join(text.split()[:words])


def in_turn(stack: ExitStack, address: str, query: str, passages: Sequence[Passage]) -> dict[str, list[float]]:
    """Seconds of each model in each round, after one round that warms up."""
    contenders = {name: over_grpc(stack, address, name, query, passages, 1) for name in MODELS}
    seconds: dict[str, list[float]] = {name: [] for name in MODELS}
    for number in range(ROUNDS + 1):
        for name, contender in contenders.items():
            taken = contender.run()
            seconds[name] += [taken] if number else []
    return seconds


def mean_tokens(name: str, query: str, passages: Sequence[Passage]) -> float:
    """Of a pair as the model reads it, cut to what it can."""
    _, lengths = bare_session(model_folder.read(SHIPPED_MODELS / FOLDERS[name]), query, passages, usable_cores())
    return sum(lengths) / len(lengths)


async def served(address: str):
    """The models of the sidecar."""
    async with SidecarClient(address) as client:
        return await client.models()
