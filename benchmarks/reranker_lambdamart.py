"""LambdaMART through the RPC beside LightGBM's own `Booster.predict`: 100 rows of 40 features, 300 trees.

The client is SidecarClient, in another process than the sidecar, over loopback; timed from lists of rows to scores.
"""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import lightgbm
import numpy as np

from benchmarks.results_file import Aim, Section
from hybridrank.connector import ModelInfo, SidecarClient
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.ltr_features import FeatureSet
from hybridrank.model_files import forest_folder
from hybridrank.model_files.forest_folder import LambdaMartToml
from hybridrank.sidecar.child import sidecar_process

ROWS, FEATURES, TREES, LEAVES = 100, 40, 300, 31
EXPLAINED = 10
QUERIES = 50  # different ones, in turn, so that no branch is learnt by heart
ROUNDS = 1000
SEED = 0

PREDICT, PREDICT_ALL_CORES = "Booster.predict, one thread", "Booster.predict, a thread a core"
RPC, RPC_EMPTY = "Rerank over gRPC", "Rerank over gRPC of no rows"
EXPLAIN, RPC_EXPLAIN = (
    f"Booster.predict, contributions of {EXPLAINED} rows",
    f"Rerank, contributions of {EXPLAINED} rows",
)

Contender = Callable[[int], Awaitable[Any]]


def measure() -> Section:
    """Train, serve, and run the contenders in turn."""
    load = os.getloadavg()[0]
    random = np.random.default_rng(SEED)
    booster = train(random)
    queries = [rows_with_gaps(random, ROWS) for _ in range(QUERIES)]
    with tempfile.TemporaryDirectory() as folder:
        features = write(Path(folder) / "forest", booster)
        with sidecar_process(models=Path(folder)) as process:
            times, models = asyncio.run(run(process.address, booster, features.digest, queries))
    return section(times, models, load)


def train(random: np.random.Generator) -> lightgbm.Booster:
    """A forest of the wanted size that has learnt something."""
    rows = rows_with_gaps(random, 20_000)
    wanted = np.nan_to_num(rows[:, 0] + rows[:, 1] * rows[:, 2] + np.sin(rows[:, 3])) + random.normal(size=len(rows))
    parameters = {"objective": "lambdarank", "num_leaves": LEAVES, "seed": SEED, "verbosity": -1}
    grades = np.clip(wanted, 0, 4).astype(int)
    dataset = lightgbm.Dataset(rows, grades, group=[ROWS] * (len(rows) // ROWS))
    return lightgbm.train(parameters, dataset, TREES)


def rows_with_gaps(random: np.random.Generator, count: int) -> np.ndarray:
    """(count, FEATURES), one value in ten missing."""
    rows = random.normal(size=(count, FEATURES))
    rows[random.random(rows.shape) < 0.1] = np.nan
    return rows


def write(folder: Path, booster: lightgbm.Booster) -> FeatureSet:
    """The folder that is served; returns its feature set."""
    columns = [{"kind": "request", "name": f"f{index}", "key": f"f{index}"} for index in range(FEATURES)]
    features = FeatureSet.model_validate({"name": "benchmark", "features": columns})
    folder.mkdir()
    booster.save_model(folder / forest_folder.MODEL)
    forest_folder.write(folder, LambdaMartToml(name="forest", version="1", licence="Apache-2.0"), features)
    return features


async def run(
    address: str, booster: lightgbm.Booster, digest: str, queries: Sequence[np.ndarray]
) -> tuple[dict[str, list[float]], tuple[ModelInfo, ...]]:
    """Milliseconds of each call by contender. Every round has one of each; who goes first moves on."""
    lists = [query.tolist() for query in queries]
    async with SidecarClient(address) as client:

        async def predict(number: int, **options: Any) -> list[float]:
            return booster.predict(queries[number], **options).tolist()

        async def explain(number: int) -> None:
            booster.predict(queries[number][:EXPLAINED], pred_contrib=True, num_threads=1)

        async def rescore(rows: Sequence[Sequence[float]], **options: Any) -> list[float]:
            scores = await client.rescore_features(
                rows, feature_set_digest=digest, model="forest", timeout_s=60, **options
            )
            return [each.score for each in scores if each]

        contenders: dict[str, Contender] = {
            PREDICT: lambda number: predict(number, num_threads=1),
            RPC: lambda number: rescore(lists[number]),
            RPC_EMPTY: lambda _: rescore([]),
        }
        apart: dict[str, Contender] = {PREDICT_ALL_CORES: predict}  # its threads spin between calls, on others' cores
        rare: dict[str, Contender] = {
            EXPLAIN: explain,
            RPC_EXPLAIN: lambda number: rescore(lists[number][:EXPLAINED], contributions=True),
        }
        for number in range(QUERIES):
            assert await rescore(lists[number]) == await predict(number, num_threads=1)
        times = await in_turn(contenders, ROUNDS) | await in_turn(rare, ROUNDS // 20) | await in_turn(apart, ROUNDS)
        return times, await client.models()


async def in_turn(contenders: dict[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each call, without those of the warm-up, a tenth as many."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds + rounds // 10):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            started = perf_counter()
            await contenders[name](number % QUERIES)
            times[name].append(1000 * (perf_counter() - started))
    return {name: each[rounds // 10 :] for name, each in times.items()}


def section(times: dict[str, list[float]], models: Sequence[ModelInfo], load: float) -> Section:
    """The numbers as the page shows them; `load` is what the machine was doing before."""
    percentiles = {name: [float(each) for each in np.percentile(of_one, [50, 95])] for name, of_one in times.items()}
    predict, rpc = percentiles[PREDICT][0], percentiles[RPC][0]
    rows = [(name, f"{p50:.2f}", f"{p95:.2f}", f"{p50 / predict:.2f}") for name, (p50, p95) in percentiles.items()]
    environment = {**describe_environment(None, models), "lightgbm": lightgbm.__version__, "load": load}
    return Section(
        "LambdaMART through the RPC",
        environment,
        {
            "rounds": ROUNDS,
            "percentiles_ms": {
                name: dict(zip(("p50", "p95"), each, strict=True)) for name, each in percentiles.items()
            },
        },
        (
            f"{ROWS} rows of {FEATURES} features, one value in ten missing, {TREES} trees of {LEAVES} leaves; {ROUNDS} "
            f"rounds (explaining: {ROUNDS // 20}) with each contender in turn, `{PREDICT_ALL_CORES}` last and by "
            "itself, because its threads spin between calls. The client is SidecarClient, from lists to scores. "
            f"{environment['hardware']['cores']} cores, {environment['hardware']['cpu']}; LightGBM "
            f"{lightgbm.__version__}, Python {environment['python']}. Before it the scores of all {QUERIES} queries "
            "were compared: they are equal to the last bit.",
            f"The load average of the machine was {load:.1f} before the run: above 1, read the ratios alone.",
        ),
        ReportTable(("", "p50 ms", "p95 ms", "of predict"), tuple(rows)),
        (
            Aim("p50 of the RPC, ms", rpc, 3.0, at_most=True),
            Aim("p50 of the RPC, of Booster.predict on one thread", rpc / predict, 1.2, at_most=True),
        ),
    )
