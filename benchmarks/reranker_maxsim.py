"""Late interaction of one query with 1000 stored documents: the kernel beside maxsim-cpu and PyLate, and the whole RPC.

The kernels run on one thread each, every one in a process of its own, in turn: ours from the bytes that an index holds,
the others from arrays in memory. The RPC is of the shipped encoder, whose vectors have 384 dimensions.
"""

import asyncio
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.contenders import Contender, peer
from benchmarks.results_file import Aim, Section
from hybridrank.connector import ModelInfo, SidecarClient
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.model_files.arrays import unit_rows
from hybridrank.sidecar.child import sidecar_process

DOCUMENTS, LENGTHS, DIMENSIONS, QUERY_TOKENS = 1000, (90, 151), 128, 32
ROUNDS, WARM_UP = 30, 3
SEED = 0
MAXSIM_CPU, PYLATE = "maxsim-cpu", "pylate"
OURS = ("fp32", "fp16", "int8", "4", "2", "1")
NAMES = {
    **{each: f"stored as {each}" for each in OURS[:3]},
    **{each: f"stored as residuals, {each} bits" for each in OURS[3:]},
    MAXSIM_CPU: "maxsim-cpu, fp32 in memory",
    "pylate": "PyLate `rank.rerank`, fp32 in memory",
    "pylate-padded": "PyLate `colbert_scores`, fp32 filled up beforehand",
}
WORDS = ("river", "town", "harbour", "boats", "wait", "morning", "tides", "lamps", "old", "meets", "crosses", "where")
RPC_FORMATS = ("int8", "fp16")
RPC_DOCUMENTS = {"int8": 1000, "fp16": 500}  # 1000 of 384 dimensions at fp16 are over the 64 MiB of a message


def measure(peers: Path | None) -> Section:
    """`peers` has the environments maxsim-cpu/ and pylate/ (benchmarks/peers/build.sh); what is missing is left out."""
    load = os.getloadavg()[0]
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[variable] = "1"
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    with ExitStack() as stack:
        npz = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "vectors.npz"
        tokens = write(npz)
        contenders = start(stack, npz, peers)
        times = {name: [] for name in contenders}
        for number in range(ROUNDS + WARM_UP):
            names = list(contenders)
            first = number % len(names)
            for name in names[first:] + names[:first]:
                seconds = contenders[name].run()
                times[name] += [1000 * seconds] if number >= WARM_UP else []
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "PYTHONPATH"):
        del os.environ[variable]
    with sidecar_process() as process:
        rpc, models = asyncio.run(over_grpc(process.address))
    return section(times, rpc, contenders, models, tokens, load)


def write(npz: Path) -> int:
    """Random unit rows; returns how many there are of documents."""
    random = np.random.default_rng(SEED)
    lengths = random.integers(*LENGTHS, size=DOCUMENTS)
    rows, query = (
        unit_rows(random.normal(size=(count, DIMENSIONS)).astype(np.float32)) for count in (lengths.sum(), QUERY_TOKENS)
    )
    np.savez(npz, query=query, rows=rows, lengths=lengths)
    return int(lengths.sum())


def start(stack: ExitStack, npz: Path, peers: Path | None) -> dict[str, Contender]:
    """Every contender that there is, once it has been seen to score as we do at fp32."""
    interpreters = dict.fromkeys(OURS, Path(sys.executable))
    for name in (MAXSIM_CPU, "pylate", "pylate-padded"):
        python = peers and peers / name.removesuffix("-padded") / "bin/python"
        if python and python.exists():
            interpreters[name] = python
    found = {
        name: peer(stack, python, "maxsim_worker.py", [name, str(npz)], "", []) for name, python in interpreters.items()
    }
    for name in found.keys() - set(OURS[1:]):
        np.testing.assert_allclose(found[name].scores, found["fp32"].scores, atol=1e-3, err_msg=name)
    return found


async def over_grpc(address: str) -> tuple[dict[str, list[float]], tuple[ModelInfo, ...]]:
    """Milliseconds of each call, by format."""
    random = np.random.default_rng(SEED)
    texts = [" ".join(random.choice(WORDS, size=118)) for _ in range(20)]
    times: dict[str, list[float]] = {name: [] for name in RPC_FORMATS}
    async with SidecarClient(address) as client:
        stored = {
            name: [
                each.token_vectors
                for each in await client.encode_tokens(texts, model="colbert", token_vectors=name, timeout_s=60)
            ]
            for name in RPC_FORMATS
        }
        for number in range(ROUNDS + WARM_UP):
            for name in RPC_FORMATS:
                packed = stored[name]
                passages = [Passage(str(n), "", packed[n % len(packed)]) for n in range(RPC_DOCUMENTS[name])]
                started = perf_counter()
                scores = await client.rescore(f"boats of {number}", passages, model="colbert", timeout_s=60)
                times[name] += [1000 * (perf_counter() - started)] if number >= WARM_UP else []
                assert len(scores) == len(passages)
        return times, await client.models()


def section(
    times: dict[str, list[float]],
    rpc: dict[str, list[float]],
    contenders: dict[str, Contender],
    models: tuple[ModelInfo, ...],
    tokens: int,
    load: float,
) -> Section:
    """The numbers as the page shows them; `load` is what the machine was doing before."""
    medians = {name: median(each) for name, each in times.items()}
    base = medians.get(MAXSIM_CPU, medians["fp32"])
    rows = [(NAMES[name], f"{ms:.1f}", f"{min(times[name]):.1f}", f"{ms / base:.2f}") for name, ms in medians.items()]
    rows += [
        (
            f"Rerank over gRPC, {RPC_DOCUMENTS[name]} documents as {name}, 384 dimensions",
            f"{median(each):.1f}",
            f"{min(each):.1f}",
            "",
        )
        for name, each in rpc.items()
    ]
    versions = {name: each.versions for name, each in contenders.items() if name in {MAXSIM_CPU, PYLATE}}
    environment = {**describe_environment(None, models), "peers": versions, "load": load}
    aims = [
        Aim(f"speed of fp32 as stored, of {NAMES[name]}", medians[name] / medians["fp32"], bound)
        for name, bound in ((MAXSIM_CPU, 1.0), (PYLATE, 3.0))
        if name in medians
    ]
    return Section(
        "Late interaction over stored token vectors",
        environment,
        {"rounds": ROUNDS, "ms": {**times, **{f"rpc {name}": each for name, each in rpc.items()}}},
        (
            f"{DOCUMENTS} documents, {tokens / DOCUMENTS:.0f} tokens of {DIMENSIONS} dimensions on average, a query of "
            f"{QUERY_TOKENS} tokens; {ROUNDS} rounds with each contender in turn, on one thread each. Ours begin "
            "with the bytes an index holds, so unpacking them is in their time. At fp32 all scores agree within 1e-3. "
            f"{environment['hardware']['cores']} cores, {environment['hardware']['cpu']}; {versions}.",
            "The RPC is timed from Passage objects to scores, in another process than the sidecar, over loopback, with "
            "another query each time, which is encoded.",
            f"The load average of the machine was {load:.1f} before the run: above 1, read the ratios alone.",
        ),
        ReportTable(
            ("", "median ms", "least ms", f"of {MAXSIM_CPU if MAXSIM_CPU in medians else 'fp32'}"), tuple(rows)
        ),
        tuple(aims),
    )
