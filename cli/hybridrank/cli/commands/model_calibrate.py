"""`hybridrank model calibrate`: fits calibrated scores of a model on judged queries, and says what they are worth."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from hybridrank.cli.choices import CalibrationMethod, Precision
from hybridrank.cli.options import EngineOption, SidecarOption

__all__ = ["calibrate"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Unjudged = Literal["irrelevant", "left-out"]


def calibrate(
    model: Annotated[Path, typer.Argument(help="A model folder that reranks texts; it gets calibration.json.")],
    collection: Annotated[Path, typer.Option(help="Folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv.")],
    split: Annotated[str, typer.Option(help="Which judgments: not those that results are reported on.")] = "dev",
    method: Annotated[
        CalibrationMethod, typer.Option(help="temperature keeps two numbers, isotonic a curve.")
    ] = "temperature",
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

    import numpy as np

    from hybridrank.cli.model_calibrate import PLOT, judged_scores, measures_of, show_measures
    from hybridrank.cli.progress import ConsoleProgress
    from hybridrank.evaluation.collections.judged import read_collection
    from hybridrank.model_files import calibration
    from hybridrank.sidecar.models import trial
    from hybridrank.training.calibration.error import BINS, bins_of
    from hybridrank.training.calibration.fit import FITS, FOLDS, NotCalibratable, cross_fitted
    from hybridrank.training.calibration.plot import reliability_svg

    try:
        loaded = trial.load_model(model, precision=precision)
        kept = calibration.read(model)
        if loaded.info.feature_set:
            raise typer.BadParameter(f"{model} reads features; only models that read texts are calibrated here")
        judged = read_collection(collection, split, ConsoleProgress(err))
        pairs = asyncio.run(
            judged_scores(
                loaded=loaded,
                judged=judged,
                window=window,
                unjudged=unjudged,
                least=relevant,
                limit=queries,
                engine=engine,
                sidecar=sidecar,
            )
        )
        chances = cross_fitted(pairs, method)
        fitted = FITS[method](pairs)
    except NotCalibratable as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    before, flags = calibration.sigmoid(pairs.raw), pairs.relevant
    measures = {"sigmoid": measures_of(before, flags), method: measures_of(chances, flags)}
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
    show_measures(about, measures)
    out.print(f"{model / calibration.FILE}: {method} at {loaded.info.precision}, digest {fitted.digest}", markup=False)
