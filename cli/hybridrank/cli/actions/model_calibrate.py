"""`hybridrank model calibrate`: fits calibrated scores of a model on judged queries, and measures them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from hybridrank.cli.bench import open_bench
from hybridrank.cli.console.progress import ConsoleProgress, progress
from hybridrank.cli.session import default_engine
from hybridrank.common.counts import counted
from hybridrank.connector.passages import passage_text
from hybridrank.evaluation.collections.judged import JudgedCollection, judged_queries
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.sidecar.rerankers.kind import LoadedModel
from hybridrank.sidecar.runtime.cpu import usable_cores
from hybridrank.training.calibration.error import brier_score, expected_calibration_error
from hybridrank.training.calibration.fit import JudgedScores

__all__ = ["PLOT", "judged_scores", "measures_of", "show_measures"]

PLOT = "reliability.svg"
Unjudged = Literal["irrelevant", "left-out"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


async def judged_scores(
    loaded: LoadedModel,
    judged: JudgedCollection,
    window: int,
    unjudged: Unjudged,
    least: int,
    limit: int | None,
    engine: str,
    sidecar: str,
) -> JudgedScores:
    """Returns raw scores and relevance of the first documents of each fused ranking."""
    asked = judged_queries(judged.queries, judged.qrels, limit)
    pipeline, settings = parse_pipeline("rrf"), PipelineSettings(size=window)
    opened = open_bench(engine or default_engine(), sidecar, [pipeline], ConsoleProgress(err), settings)
    async with opened as bench:
        index = bench.index_name(judged.name, judged.digest)
        await bench.fill(index, judged)
        run = (await bench.run(index, [pipeline], asked, settings))[pipeline.name]
    candidates = {
        query_id: [
            each for each in run.rankings[query_id] if unjudged == "irrelevant" or each in judged.qrels[query_id]
        ]
        for query_id in asked
    }
    texts = {each.doc_id: passage_text(each.source) for each in judged.documents}
    raw = _scores(loaded, asked, {query_id: [texts[each] for each in ids] for query_id, ids in candidates.items()})
    flags = [judged.qrels[query_id].get(each, 0) >= least for query_id, ids in candidates.items() for each in ids]
    numbers = np.repeat(np.arange(len(candidates)), [len(ids) for ids in candidates.values()])
    return JudgedScores(np.array(raw, dtype=np.float64), np.array(flags, dtype=np.bool_), numbers)


def _scores(loaded: LoadedModel, asked: Mapping[str, str], passages: Mapping[str, Sequence[str]]) -> list[float]:
    """Returns the raw scores of all passages, query by query."""
    total = sum(map(len, passages.values()))

    def of_one(query_id: str) -> list[float]:
        return loaded.reranker.relevance_scores(asked[query_id], passages[query_id]) if passages[query_id] else []

    scores: list[float] = []
    with (
        progress(f"{loaded.info.name} scores {counted(total, 'passage')}", err, total) as advance,
        ThreadPoolExecutor(usable_cores()) as pool,
    ):
        for found in pool.map(of_one, passages):
            scores += found
            advance(len(found))
    return scores


def measures_of(chances: Any, relevant: Any) -> dict[str, float]:
    """Returns calibration errors and Brier score of probabilities."""
    return {
        "ece_mass": expected_calibration_error(chances, relevant, "mass"),
        "ece_width": expected_calibration_error(chances, relevant, "width"),
        "brier": brier_score(chances, relevant),
        "mean_chance": float(np.mean(chances)),
    }


def show_measures(about: Mapping[str, Any], measures: Mapping[str, Mapping[str, float]]) -> None:
    """Prints the measures, and the data that they were measured on."""
    table = Table("chances", "ECE, equal mass", "ECE, equal width", "Brier", "mean chance", box=SIMPLE)
    for name, each in measures.items():
        table.add_row(name, *(f"{value:.4f}" for value in each.values()))
    out.print(table)
    out.print(
        f"{counted(about['queries'], 'query')} of {about['collection']} ({about['split']}), "
        f"{counted(about['pairs'], 'pair')}, {about['relevant']} relevant; "
        f"without a judgment: {about['unjudged']}; {about['bins']} bins; "
        f"measured on queries that the fit had not seen, {about['folds']} folds",
        markup=False,
    )
