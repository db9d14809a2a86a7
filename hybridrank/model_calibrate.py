"""`hybridrank model calibrate`: fits calibrated scores of a model on judged queries, and says what they are worth."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from connector.passages import passage_text
from evaluation.pipelines import PipelineSettings, parse_pipeline
from hybridrank.experiments import JudgedCollection, index_name, judged_queries, open_bench, read_collection
from hybridrank.options import EngineOption, SidecarOption
from hybridrank.progress import progress
from hybridrank.session import default_engine
from sidecar import trial
from sidecar.registry import LoadedModel
from sidecar.runtime import calibration
from sidecar.runtime.cpu import usable_cores
from sidecar.runtime.precision import Precision
from training.calibration import FITS, FOLDS, JudgedScores, Method, NotCalibratable, cross_fitted
from training.calibration_error import BINS, bins_of, brier_score, expected_calibration_error
from training.calibration_plot import reliability_svg

__all__ = ["calibrate"]

PLOT = "reliability.svg"
Unjudged = Literal["irrelevant", "left-out"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def calibrate(
    model: Annotated[Path, typer.Argument(help="A model folder that reranks texts; it gets calibration.json.")],
    collection: Annotated[Path, typer.Option(help="Folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv.")],
    split: Annotated[str, typer.Option(help="Which judgments: not those that results are reported on.")] = "dev",
    method: Annotated[Method, typer.Option(help="temperature keeps two numbers, isotonic a curve.")] = "temperature",
    window: Annotated[int, typer.Option(min=1, max=1000, help="How many of the fused documents are scored.")] = 50,
    unjudged: Annotated[
        Unjudged, typer.Option(help="What documents without a judgment are: irrelevant, or left out.")
    ] = "irrelevant",
    relevant: Annotated[int, typer.Option(min=1, help="The least grade that is relevant.")] = 1,
    queries: Annotated[
        int | None, typer.Option(min=1, help="Only the first N judged queries.", show_default="all")
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Of the model; by default what this CPU would be served with.")
    ] = "auto",
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
) -> None:
    """Fit what makes a model's raw scores the chance of being relevant, and serve it as score_type calibrated.

    Scores the first of the fused ranking of each query. What is printed was measured on queries that the fit had not
    seen. Writes calibration.json and reliability.svg into the folder; what it has for another precision stays.

    Examples:
    hybridrank model calibrate my-models/mine --collection ./scifact --split dev
    hybridrank model calibrate my-models/mine --collection ./shop --method isotonic --unjudged left-out
    """
    try:
        loaded = trial.load_model(model, precision=precision)
        kept = calibration.read(model)
        if loaded.info.feature_set:
            raise typer.BadParameter(f"{model} reads features; only models that read texts are calibrated here")
        judged = read_collection(collection, split, err)
        pairs = asyncio.run(_pairs(loaded, judged, window, unjudged, relevant, queries, engine, sidecar))
        chances = cross_fitted(pairs, method)
        fitted = FITS[method](pairs)
    except NotCalibratable as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    before, flags = calibration.sigmoid(pairs.raw), pairs.relevant
    measures = {"sigmoid": _measures(before, flags), method: _measures(chances, flags)}
    about: dict[str, Any] = {
        "collection": judged.name,
        "split": split,
        "queries": len(np.unique(pairs.query)),
        "pairs": len(flags),
        "relevant": int(flags.sum()),
        "unjudged": unjudged,
        "least_relevant_grade": relevant,
        "window": window,
        "folds": FOLDS,
        "bins": BINS,
        "out_of_sample": measures,
    }
    calibration.write(model, {**kept, loaded.info.digest: fitted.model_copy(update={"measured": about})})
    curves = {
        "sigmoid of raw scores": bins_of(before, flags),
        f"{method}, on queries not seen": bins_of(chances, flags),
    }
    (model / PLOT).write_text(reliability_svg(f"{loaded.info.name} on {judged.name}", curves), encoding="utf-8")
    _print(about, measures)
    out.print(f"{model / calibration.FILE}: {method} at {loaded.info.precision}, digest {fitted.digest}", markup=False)


async def _pairs(
    loaded: LoadedModel,
    judged: JudgedCollection,
    window: int,
    unjudged: Unjudged,
    least: int,
    limit: int | None,
    engine: str,
    sidecar: str,
) -> JudgedScores:
    """The raw scores of what the fused ranking begins with, and whether it is relevant."""
    asked = judged_queries(judged.queries, judged.qrels, limit)
    pipeline, settings = parse_pipeline("rrf"), PipelineSettings(size=window)
    index = index_name(judged.name, judged.digest)
    async with AsyncExitStack() as stack:
        bench = await open_bench(stack, engine or default_engine(), sidecar, [pipeline], err, settings)
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
    """Raw scores of the passages of each query, one after the other."""
    total = sum(map(len, passages.values()))

    def of_one(query_id: str) -> list[float]:
        return (
            trial.relevance_scores(loaded.reranker, asked[query_id], passages[query_id]) if passages[query_id] else []
        )

    scores: list[float] = []
    with (
        progress(f"{loaded.info.name} scores {total} passages", err, total) as advance,
        ThreadPoolExecutor(usable_cores()) as pool,
    ):
        for found in pool.map(of_one, passages):
            scores += found
            advance(len(found))
    return scores


def _measures(chances: Any, relevant: Any) -> dict[str, float]:
    return {
        "ece_mass": expected_calibration_error(chances, relevant, "mass"),
        "ece_width": expected_calibration_error(chances, relevant, "width"),
        "brier": brier_score(chances, relevant),
        "mean_chance": float(np.mean(chances)),
    }


def _print(about: Mapping[str, Any], measures: Mapping[str, Mapping[str, float]]) -> None:
    table = Table("chances", "ECE, equal mass", "ECE, equal width", "Brier", "mean chance", box=SIMPLE)
    for name, each in measures.items():
        table.add_row(name, *(f"{value:.4f}" for value in each.values()))
    out.print(table)
    out.print(
        f"{about['queries']} queries of {about['collection']} ({about['split']}), {about['pairs']} pairs, "
        f"{about['relevant']} relevant; without a judgment: {about['unjudged']}; {about['bins']} bins; "
        f"measured on queries that the fit had not seen, {about['folds']} folds",
        markup=False,
    )
