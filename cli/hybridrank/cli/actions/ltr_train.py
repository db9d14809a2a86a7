"""`hybridrank ltr train`, `train-clicks` and `log`: from rows of features to a model folder, or to a file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import typer
from rich.console import Console

from hybridrank.cli.bench import open_bench
from hybridrank.cli.console.progress import ConsoleProgress, progress
from hybridrank.cli.options.json_file import JsonFile
from hybridrank.cli.options.pipelines import pipeline_named
from hybridrank.cli.session import default_engine
from hybridrank.common.counts import counted
from hybridrank.evaluation.experiments.served_models import UnknownModel
from hybridrank.ltr_features import FeatureSet
from hybridrank.training.ltr.baselines import BASELINES
from hybridrank.training.ltr.comparison import RankerComparison, compare_rankers
from hybridrank.training.ltr.cross_validation import Fit, Folds, cross_validate, near_equal, split
from hybridrank.training.ltr.errors import TrainingError
from hybridrank.training.ltr.judged_rows import JudgedRows, from_collection, from_log
from hybridrank.training.ltr.lambdamart import Trained, fit_lambdamart, write_fold_models, write_model
from hybridrank.training.ltr.model_card import importance, model_card
from hybridrank.training.ltr.selection import Choice, choose
from hybridrank.training.ltr.train import TrainingOptions, load_options
from hybridrank.training.ltr.train import train as train_forest

__all__ = ["plan_training", "rows_of_collection", "rows_of_log", "train_model"]


RANKER = "lambdamart"

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Plan:
    """Options that both ways of training share."""

    feature_set: FeatureSet
    fits: Mapping[str, Fit]
    settings: Mapping[str, TrainingOptions]
    folds: int
    out: Path
    name: str
    version: str
    licence: str
    json_file: JsonFile | None
    fold_models: Path | None


def plan_training(
    features: Path,
    options: Sequence[Path] | None,
    baselines: str,
    folds: int,
    out_folder: Path,
    name: str,
    version: str,
    licence: str,
    json_file: JsonFile | None,
    fold_models: Path | None = None,
) -> Plan:
    """Returns the plan. Raises BadParameter and LtrError for wrong options, before any search."""
    names = [name for name in map(str.strip, baselines.split(",")) if name]
    if unknown := [name for name in names if name not in BASELINES]:
        known = ", ".join(BASELINES)
        raise typer.BadParameter(f"there is no {unknown[0]!r}; it is one of {known}", param_hint="--baselines")
    given = {each.stem: load_options(each) for each in options or ()}
    if options and len(given) < len(options):
        raise typer.BadParameter("two files have the same name, by which the card tells them", param_hint="--options")
    feature_set = FeatureSet.load(features)
    settings = {each: how.of(feature_set) for each, how in (given or {"defaults": TrainingOptions()}).items()}
    fits = {each: BASELINES[each] for each in names}
    return Plan(
        feature_set=feature_set,
        fits=fits,
        settings=settings,
        folds=folds,
        out=out_folder,
        name=name,
        version=version,
        licence=licence,
        json_file=json_file,
        fold_models=fold_models,
    )


async def rows_of_collection(
    folder: Path, split: str, feature_set: FeatureSet, pipeline: str, window: int, index: str, engine: str, sidecar: str
) -> JudgedRows:
    """Returns the candidates of the judged queries. Raises BadParameter."""
    progress = ConsoleProgress(err)
    parsed = pipeline_named(pipeline, "--pipeline")
    opened = partial(open_bench, engine or default_engine(), sidecar, [parsed], progress, index=index)
    try:
        return await from_collection(
            folder, split, feature_set, opened, progress, pipeline=parsed, window=window, index=index
        )
    except UnknownModel as error:
        raise typer.BadParameter(str(error), param_hint="--pipeline") from error


def rows_of_log(folder: Path, events: Path, feature_set: FeatureSet) -> JudgedRows:
    """Returns the documents that live searches showed."""
    return from_log(folder, events, feature_set, ConsoleProgress(err))


def train_model(rows: JudgedRows, plan: Plan, about: Mapping[str, str]) -> None:
    """Cross-validates, trains on all queries, writes the model folder, and prints the measures."""
    names, trained = plan.feature_set.names, list[Trained]()
    fits = {RANKER: fit_lambdamart(names, plan.settings, trained.append), **plan.fits}
    folds = _folds(rows, plan.folds)
    measured = _cross_validate(rows, fits, folds)
    data = rows.data.judged()
    with progress("training on all queries", err):
        choice = choose(data, names, plan.settings, folds)
        booster = train_forest(data, names, choice.options, choice.trees)
        features = importance(booster, data)
    described = {
        **rows.about,
        **about,
        "feature set": f"{plan.feature_set.name} {plan.feature_set.version}",
        "feature set digest": plan.feature_set.digest,
        "setting": f"{_said(choice)}, by cross-validation over all queries: "
        + ", ".join(f"{name} {value:.4f}" for name, value in choice.measured.items()),
        "without each fold": "; ".join(_said(each.choice) for each in trained),
        "options": choice.options.model_dump_json(exclude_defaults=True),
        "licence": plan.licence,
    }
    card = model_card(plan.name, plan.feature_set, described, features, measured, RANKER)
    folder = write_model(
        plan.out, booster, plan.feature_set, name=plan.name, version=plan.version, licence=plan.licence, card=card
    )
    if plan.fold_models:
        about_model = {"name": plan.name, "version": plan.version, "licence": plan.licence}
        write_fold_models(plan.fold_models, trained, folds, rows.queries, plan.feature_set, **about_model)
    if plan.json_file:
        plan.json_file.write(
            {
                "about": described,
                "baseline": measured.baseline,
                "rankers": {name: asdict(each) for name, each in measured.evaluations.items()},
                "versus": {name: asdict(each) for name, each in measured.comparisons.items()},
            }
        )
    for name, evaluation in measured.evaluations.items():
        versus = measured.comparisons.get(name)
        against = f"  {versus.delta:+.4f} against {measured.baseline}, p {versus.p:.4f}" if versus else ""
        out.print(f"{name:>12}  nDCG@10 {evaluation.mean['ndcg@10']:.4f}{against}")
    out.print(
        f"{plan.out}: {plan.name}:{plan.version}, {counted(booster.num_trees(), 'tree')}, digest {folder.info.digest}"
    )


def _said(choice: Choice) -> str:
    return f"{choice.name}, {counted(choice.trees, 'tree')}"


def _folds(rows: JudgedRows, count: int) -> Folds:
    try:
        return split(near_equal(rows.queries), count)
    except ValueError as error:
        raise TrainingError(f"{error}; judge more queries or ask for fewer --folds") from error


def _cross_validate(rows: JudgedRows, fits: Mapping[str, Fit], folds: Folds) -> RankerComparison:
    scores = {}
    for name, fit in fits.items():
        with progress(f"cross-validating {name} in {len(folds)} folds", err, len(folds)) as advance:
            scores[name] = cross_validate(rows.data, folds, fit, on_fold=partial(advance, 1))
    return compare_rankers(rows.data, rows.qrels, scores, rows.baseline)
