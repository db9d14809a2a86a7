"""A large cross-encoder at int8 and fp32 beside the bare ONNX session and sentence-transformers, on the same pairs.

The checkpoint and the folder that `hybridrank model export` made of it are given; 30 pairs of 100 tokens are a rerank
of a page of results. Everyone may use every core.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contenders import Contender, bare_session, over_grpc, peer
from benchmarks.results_file import Aim, Section
from benchmarks.sidecar_throughput import correlation, faster, in_turn, list_models, listed
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.model_files import model_folder
from hybridrank.sidecar.child import sidecar_process
from hybridrank.sidecar.in_process import TextTokenizer
from hybridrank.sidecar.runtime.cpu import multiplies_int8, read_cpuinfo, usable_cores
from hybridrank.training.onnx.golden_pairs import GOLDEN_PAIRS

PASSAGES, TOKENS, ROUNDS = 30, 100, 3
PRECISIONS = ("int8", "fp32")
GRPC = {precision: f"sidecar over gRPC, {precision}" for precision in PRECISIONS}
BARE = {precision: f"bare ONNX session, {precision}" for precision in PRECISIONS}
PEER = "sentence-transformers, fp32, predict()"
OF_BARE, OF_PEER = 0.9, 3


def measure(checkpoint: Path, folder: Path, peers: Path | None) -> Section:
    """`checkpoint` as its publisher ships it, `folder` its export at both precisions."""
    load, threads = os.getloadavg()[0], usable_cores()
    at_int8 = model_folder.read(folder)
    if at_int8.fp32 is None:
        raise ValueError(f"{folder} holds no fp32 model beside int8; export it with --precision both")
    query, passages = pairs_of_equal_length(folder)
    settings = {"max_queue_tokens": "10000000", "threads": str(threads), "score_cache_bytes": "0"}
    contenders: dict[str, Contender] = {}
    with ExitStack() as stack:
        for precision, model in zip(PRECISIONS, (at_int8, at_int8.fp32), strict=True):
            of_one = {**settings, "precision": precision}
            address = stack.enter_context(sidecar_process(models=folder, settings=of_one, timeout_s=600)).address
            contenders[GRPC[precision]] = over_grpc(stack, address, model.toml.name, query, passages, 1)
            contenders[BARE[precision]], tokens = bare_session(model, query, passages, threads)
        models = asyncio.run(list_models(address))
        if peers:
            python = peers / "sentence-transformers" / "bin" / "python"
            arguments = [str(checkpoint), str(threads)]
            texts = [each.text for each in passages]
            contenders[PEER] = peer(stack, python, "sentence_transformers_worker.py", arguments, query, texts)
        seconds = in_turn(contenders, ROUNDS, len(passages))
    environment = describe_environment(None, models) | {
        "onnxruntime": version("onnxruntime"),
        "threads": threads,
        "int8_instructions": multiplies_int8(read_cpuinfo()),
        "load_before": load,
        "parameters": at_int8.fp32.onnx.with_name(f"{at_int8.fp32.file}.data").stat().st_size // 4,
        "peers": contenders[PEER].versions if peers else {},
    }
    return section(contenders, seconds, tokens, environment)


def pairs_of_equal_length(folder: Path) -> tuple[str, list[Passage]]:
    """One query, and passages of as many words as its pairs have TOKENS tokens for, each beginning elsewhere."""
    tokenizer = TextTokenizer(folder / "tokenizer.json", 2 * TOKENS)
    query, _ = GOLDEN_PAIRS[0]
    words = [word for _, passages in GOLDEN_PAIRS for passage in passages for word in passage.split()]

    def passage(start: int) -> Passage:
        texts = [" ".join(words[start:end]) for end in range(start + 1, start + TOKENS)]
        fitting = [text for text, pair in zip(texts, tokenizer.pairs(query, texts), strict=True) if len(pair) <= TOKENS]
        return Passage(str(start), fitting[-1])

    return query, [passage(10 * number) for number in range(PASSAGES)]


def section(
    contenders: Mapping[str, Contender],
    seconds: Mapping[str, Sequence[float]],
    tokens: Sequence[int],
    environment: Mapping[str, Any],
) -> Section:
    """The table. How int8 compares with PEER is an aim only on a CPU with int8 instructions."""
    columns = [BARE["int8"], *([PEER] if PEER in seconds else [])]
    rows = tuple(
        (
            name,
            f"{len(tokens) / median(taken):.1f}",
            f"{median(taken):.2f}",
            f"{min(taken):.2f}-{max(taken):.2f}",
            *(f"{faster(taken, seconds[other]):.2f}" for other in columns),
            correlation(contenders[name].scores, contenders[BARE["fp32"]].scores),
        )
        for name, taken in seconds.items()
    )
    aims = [Aim(f"{GRPC[each]}: × bare", faster(seconds[GRPC[each]], seconds[BARE[each]]), OF_BARE) for each in GRPC]
    if PEER in seconds and environment["int8_instructions"]:
        aims.append(Aim(f"{GRPC['int8']}: × {PEER}", faster(seconds[GRPC["int8"]], seconds[PEER]), OF_PEER))
    instructions = "with" if environment["int8_instructions"] else "without"
    return Section(
        "A large cross-encoder",
        environment,
        {"passages": len(tokens), "tokens": sum(tokens) / len(tokens), "seconds": seconds},
        (
            f"{environment['parameters'] / 1e6:.0f} million parameters; {len(tokens)} pairs of "
            f"{sum(tokens) / len(tokens):.0f} tokens on average, one caller; {environment['threads']} threads; "
            f"{environment['hardware']['cpu']} {instructions} int8 instructions; median of {ROUNDS} rounds, in turn in "
            f"one run, and × the median of the rounds' ratios; r is the correlation with the logits of bare fp32. "
            f"Load average before it began: {environment['load_before']:.1f}.",
            f"Versions: onnxruntime {environment['onnxruntime']}, peers {listed(environment['peers'])}.",
        ),
        ReportTable(
            (
                "what",
                "pairs/s",
                "seconds",
                "range",
                "× bare int8",
                *(["× sentence-transformers"] * (PEER in seconds)),
                "r",
            ),
            rows,
        ),
        tuple(aims),
    )
