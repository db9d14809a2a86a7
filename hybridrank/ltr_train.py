"""`hybridrank ltr train`, `train-clicks` and `log`: rows of features to a model folder, or to a file."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from hybridrank.ltr_data import Judged, from_collection, from_log
from hybridrank.options import EngineOption, SidecarOption
from hybridrank.progress import progress
from ltr_features import FeatureSet
from training.ltr.baselines import BASELINES
from training.ltr.comparison import RankerComparison, compare_rankers
from training.ltr.cross_validation import Fit, Folds, cross_validate, near_equal, split
from training.ltr.errors import TrainingError
from training.ltr.lambdamart import Trained, fit_lambdamart, write_fold_models, write_model
from training.ltr.letor import write_letor
from training.ltr.model_card import importance, model_card
from training.ltr.selection import Choice, choose
from training.ltr.train import TrainingOptions, load_options
from training.ltr.train import train as train_forest

__all__ = ["log", "train", "train_clicks"]

RANKER = "lambdamart"

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Collection = Annotated[Path, typer.Option(help="Folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv (or .gz).")]
Features = Annotated[Path, typer.Option(help="The feature set: a .yaml or .json file.")]
ModelOut = Annotated[Path, typer.Option("--out", help="The model folder to write.")]
Index = Annotated[str, typer.Option(help="Name of the index, filled as needed.", show_default="one for this content")]
Split = Annotated[str, typer.Option("--split", help="Which judgments: qrels/SPLIT.tsv.")]
PipelineName = Annotated[str, typer.Option(help="What finds the candidates, as `hybridrank evaluate` names it.")]
Window = Annotated[int, typer.Option(min=1, max=10_000, help="Candidates a query; as many as will be rescored.")]
Unjudged = Annotated[
    Literal["zero", "drop"],
    typer.Option(help="Candidates that nobody judged: train on them as grade 0, or not at all."),
]
FoldCount = Annotated[int, typer.Option(min=3, help="Cross-validate by query in so many folds.")]
Options = Annotated[
    list[Path] | None,
    typer.Option(
        help="How to train: a .yaml or .json file. Of several, the most restrained first, one is chosen.",
        show_default="defaults",
    ),
]
FoldModelsOut = Annotated[
    Path | None,
    typer.Option(
        "--fold-models",
        metavar="DIR",
        help="Write the models of the cross-validation too, for `evaluate --fold-models`.",
        show_default=False,
    ),
]
Baselines = Annotated[
    str, typer.Option(help=f"Rankers to hold the model against: {', '.join(BASELINES)}; all but linear need torch.")
]
Name = Annotated[str, typer.Option(help="The model's name for callers.")]
Version = Annotated[str, typer.Option(help="The model's version.")]
Licence = Annotated[str, typer.Option(help="Licence of the model, for model.toml.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write everything measured, per query too.")
]


def train(
    collection: Collection,
    features: Features,
    out_folder: ModelOut,
    index: Index = "",
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    split_name: Split = "train",
    pipeline: PipelineName = "rrf",
    window: Window = 50,
    unjudged: Unjudged = "zero",
    folds: FoldCount = 5,
    options: Options = None,
    baselines: Baselines = "linear",
    name: Name = RANKER,
    version: Version = "1",
    licence: Licence = "unknown",
    json_file: JsonFile = None,
    fold_models: FoldModelsOut = None,
) -> None:
    """Train a LambdaMART model on judgments, with a card that says how good it is on queries it has not seen.

    Candidates and features come from the same search that will serve it. Near-equal queries are in one fold.

    Examples:
        hybridrank ltr train --collection ./shop --features shop.yaml --out my-models/shop

        hybridrank serve --models my-models
    """
    plan = _plan(features, options, baselines, folds, out_folder, name, version, licence, json_file, fold_models)
    where = {"pipeline": pipeline, "index": index, "engine": engine, "sidecar": sidecar}
    found = asyncio.run(from_collection(collection, split_name, plan.feature_set, window=window, **where))
    if unjudged == "zero":
        found = replace(found, data=found.data.with_unjudged_as(0))
    _train(found, plan, {"unjudged": "trained on as grade 0" if unjudged == "zero" else "left out of training"})


def train_clicks(
    feature_log: Annotated[Path, typer.Argument(help="The folder of a FeatureLog.")],
    events: Annotated[Path, typer.Argument(help="UBI events of the same searches, as JSON lines.")],
    features: Features,
    out_folder: ModelOut,
    folds: FoldCount = 5,
    options: Options = None,
    baselines: Baselines = "linear",
    name: Name = RANKER,
    version: Version = "1",
    licence: Licence = "unknown",
    json_file: JsonFile = None,
) -> None:
    """Train on what live searches showed and what was clicked, without what the place alone brings.

    Log and events meet by query_id. The features are those that were served.

    Example: hybridrank ltr train-clicks ./log ubi_events.jsonl --features shop.yaml --out my-models/shop
    """
    plan = _plan(features, options, baselines, folds, out_folder, name, version, licence, json_file)
    _train(from_log(feature_log, events, plan.feature_set), plan, {})


def log(
    collection: Collection,
    features: Features,
    out_file: Annotated[Path, typer.Option("--out", help="The LETOR file to write; zipped when it ends in .gz.")],
    index: Index = "",
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    split_name: Split = "train",
    pipeline: PipelineName = "rrf",
    window: Window = 50,
    unjudged: Unjudged = "zero",
) -> None:
    """Write the candidates' features and grades as LETOR text, for RankLib, XGBoost or anything else.

    Example: hybridrank ltr log --collection ./shop --features shop.yaml --out shop.letor.gz
    """
    feature_set = FeatureSet.load(features)
    where = {"pipeline": pipeline, "index": index, "engine": engine, "sidecar": sidecar}
    data = asyncio.run(from_collection(collection, split_name, feature_set, window=window, **where)).data
    data = data.with_unjudged_as(0) if unjudged == "zero" else data.judged()
    write_letor(out_file, data)
    out.print(f"{out_file}: {len(data.rows)} rows of {len(data.query_ids)} queries; its features are")
    for number, each in enumerate(feature_set.names, start=1):
        out.print(f"{number:4} {each}")


@dataclass(frozen=True)
class Plan:
    """What both ways of training are asked for."""

    feature_set: FeatureSet
    fits: Mapping[str, Fit]
    settings: Mapping[str, TrainingOptions]
    folds: int
    out: Path
    name: str
    version: str
    licence: str
    json_file: Path | None
    fold_models: Path | None


def _plan(
    features: Path,
    options: Sequence[Path] | None,
    baselines: str,
    folds: int,
    out_folder: Path,
    name: str,
    version: str,
    licence: str,
    json_file: Path | None,
    fold_models: Path | None = None,
) -> Plan:
    """Everything that can be wrong with it is said before anything is searched."""
    names = [name for name in map(str.strip, baselines.split(",")) if name]
    if unknown := [name for name in names if name not in BASELINES]:
        known = ", ".join(BASELINES)
        raise typer.BadParameter(f"there is no {unknown[0]!r}; it is one of {known}", param_hint="--baselines")
    if json_file and not json_file.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {json_file.parent}", param_hint="--json")
    given = {each.stem: load_options(each) for each in options or ()}
    if options and len(given) < len(options):
        raise typer.BadParameter("two files have the same name, by which the card tells them", param_hint="--options")
    feature_set = FeatureSet.load(features)
    settings = {each: how.of(feature_set) for each, how in (given or {"defaults": TrainingOptions()}).items()}
    fits = {each: BASELINES[each] for each in names}
    return Plan(feature_set, fits, settings, folds, out_folder, name, version, licence, json_file, fold_models)


def _train(found: Judged, plan: Plan, about: Mapping[str, str]) -> None:
    """Cross-validate, train on everything, write the folder, and tell."""
    names, trained = plan.feature_set.names, list[Trained]()
    fits = {RANKER: fit_lambdamart(names, plan.settings, trained.append), **plan.fits}
    folds = _folds(found, plan.folds)
    measured = _cross_validate(found, fits, folds)
    data = found.data.judged()
    with progress("training on all queries", err):
        choice = choose(data, names, plan.settings, folds)
        booster = train_forest(data, names, choice.options, choice.trees)
        features = importance(booster, data)
    described = {
        **found.about,
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
        write_fold_models(plan.fold_models, trained, folds, found.queries, plan.feature_set, **about_model)
    if plan.json_file:
        result = {
            "about": described,
            "baseline": measured.baseline,
            "rankers": {name: asdict(each) for name, each in measured.evaluations.items()},
            "versus": {name: asdict(each) for name, each in measured.comparisons.items()},
        }
        plan.json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, evaluation in measured.evaluations.items():
        versus = measured.comparisons.get(name)
        against = f"  {versus.delta:+.4f} against {measured.baseline}, p {versus.p:.4f}" if versus else ""
        out.print(f"{name:>12}  nDCG@10 {evaluation.mean['ndcg@10']:.4f}{against}")
    out.print(f"{plan.out}: {plan.name}:{plan.version}, {booster.num_trees()} trees, digest {folder.info.digest}")


def _said(choice: Choice) -> str:
    return f"{choice.name}, {choice.trees} trees"


def _folds(found: Judged, count: int) -> Folds:
    try:
        return split(near_equal(found.queries), count)
    except ValueError as error:
        raise TrainingError(f"{error}; judge more queries or ask for fewer --folds") from error


def _cross_validate(found: Judged, fits: Mapping[str, Fit], folds: Folds) -> RankerComparison:
    scores = {}
    for name, fit in fits.items():
        with progress(f"cross-validating {name} in {len(folds)} folds", err, len(folds)) as advance:
            scores[name] = cross_validate(found.data, folds, fit, on_fold=partial(advance, 1))
    return compare_rankers(found.data, found.qrels, scores, found.baseline)
