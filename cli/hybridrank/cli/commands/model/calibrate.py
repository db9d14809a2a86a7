"""`hybridrank model calibrate`: fits calibrated scores of a model on judged queries, and measures them."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from hybridrank.cli.options.choices import CalibrationMethod, Precision
from hybridrank.cli.options.shared import EngineOption, JudgedCollectionOption, SidecarOption

__all__ = ["calibrate"]

NEEDS = ("eval", "sidecar")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Unjudged = Literal["irrelevant", "left-out"]


def calibrate(
    model: Annotated[Path, typer.Argument(help="A model folder that reranks texts; it gets calibration.json.")],
    collection: JudgedCollectionOption,
    split: Annotated[str, typer.Option(help="The judgments; use others than those of reported results.")] = "dev",
    method: Annotated[
        CalibrationMethod, typer.Option(help="temperature fits two numbers, isotonic a curve.")
    ] = "temperature",
    window: Annotated[int, typer.Option(min=1, max=1000, help="Number of fused documents that are scored.")] = 50,
    unjudged: Annotated[
        Unjudged, typer.Option(help="Unjudged documents count as irrelevant, or are left out.")
    ] = "irrelevant",
    relevant: Annotated[int, typer.Option(min=1, help="The lowest relevant grade.")] = 1,
    queries: Annotated[
        int | None, typer.Option(min=1, help="Only the first N judged queries.", show_default="all")
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Precision of the model; auto: the one that is served on this CPU.")
    ] = "auto",
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
) -> None:
    """Fit the probability of relevance to a model's raw scores, served as score_type calibrated.

    Scores the first documents of each fused ranking. The printed measures are of queries that the fit has not seen.
    Writes calibration.json and reliability.svg into the folder; the calibration of another precision stays.

    Examples:
    hybridrank model calibrate my-models/mine --collection ./scifact --split dev
    hybridrank model calibrate my-models/mine --collection ./shop --method isotonic --unjudged left-out
    """

    import numpy as np

    from hybridrank.cli.actions.model_calibrate import PLOT, judged_scores, measures_of, show_measures
    from hybridrank.cli.console.progress import ConsoleProgress
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
