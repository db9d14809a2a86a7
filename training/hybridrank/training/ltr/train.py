"""LambdaMART (Burges 2010) by LightGBM's `lambdarank`: rows and grades → trees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hybridrank.common.settings_file import read_settings, validated
from hybridrank.ltr_features import FeatureSet
from hybridrank.ltr_features.transforms import Direction
from hybridrank.training.ltr.dataset import UNJUDGED, Matrix, RankingData
from hybridrank.training.ltr.errors import TrainingError
from hybridrank.training.ltr.ndcg import linear_gain

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["HeldOut", "TrainingOptions", "hold_out", "load_options", "train"]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The number of trees that ranks new queries best, and each row's score (n,), trained without the row's fold."""

    trees: int
    scores: Matrix


class TrainingOptions(BaseModel):
    """Training options. The defaults are for some hundred to some thousand judged queries.

    Small trees and a low rate (`num_leaves`, `learning_rate`) because judgments are few; each tree sees
    `bagging_fraction` of the queries and `feature_fraction` of the features, and `lambda_l2` shrinks the values of
    leaves with few rows. There are `max_trees`, or, with `early_stopping`, the best number, after which that many more
    brought no gain; a hundred queries are too few for it. `truncation_level` is the lowest rank of the compared pairs:
    a little more than `ndcg_at`, the nDCG that early stopping watches (LightGBM's advice). `label_gain` has the gain of
    every grade from 0 on; empty means the grade itself, as it is measured here. `known_directions` lets a score only
    rise, or only fall, with features of known direction (`FeatureSet.directions`); `monotone` sets this for other
    features, by name: 1 if it may only rise, -1 if only fall, 0 to allow both. `position_bias_regularization` is for
    data with positions. `missing_as_zero` trains on 0 instead of NaN, for servers without missing values. `threads` is
    1: a few thousand rows are too few to share, and threads that wait for a busy core cost many times what they save.
    `parameters` go to LightGBM by its own names and override all others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_leaves: Annotated[int, Field(ge=2)] = 8
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    max_trees: Annotated[int, Field(ge=1)] = 200
    early_stopping: Annotated[int, Field(ge=0)] = 0
    min_data_in_leaf: Annotated[int, Field(ge=1)] = 30
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] = 0.7
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 0.5
    lambda_l2: Annotated[float, Field(ge=0)] = 5.0
    truncation_level: Annotated[int, Field(ge=1)] = 20
    ndcg_at: Annotated[int, Field(ge=1)] = 10
    label_gain: tuple[Annotated[float, Field(ge=0)], ...] = ()
    known_directions: bool = True
    monotone: Mapping[str, Direction] = Field(default_factory=dict)
    position_bias_regularization: Annotated[float, Field(ge=0)] = 0.0
    missing_as_zero: bool = False
    seed: Annotated[int, Field(ge=0)] = 17
    threads: Annotated[int, Field(ge=1)] = 1
    parameters: Mapping[str, Any] = Field(default_factory=dict)

    def of(self, feature_set: FeatureSet) -> "TrainingOptions":
        """Returns the options with the known directions of these features in `monotone`."""
        known = feature_set.directions if self.known_directions else {}
        return self.model_copy(update={"monotone": {**known, **self.monotone}})

    @property
    def gains(self) -> tuple[float, ...]:
        """The gain of each grade."""
        return self.label_gain or linear_gain()

    def lightgbm(self, features: Sequence[str]) -> dict[str, Any]:
        """Returns LightGBM's parameters. Raises TrainingError for an unknown monotone feature."""
        if unknown := sorted(set(self.monotone) - set(features)):
            raise TrainingError(f"monotone: the feature set has no {', '.join(unknown)}")
        monotone = {"monotone_constraints": [self.monotone.get(name, 0) for name in features]} if self.monotone else {}
        by_query = {"bagging_fraction": self.bagging_fraction, "bagging_freq": 1, "bagging_by_query": True}
        bagging = by_query if self.bagging_fraction < 1 else {}
        return {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [self.ndcg_at],
            "num_leaves": self.num_leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_data_in_leaf,
            "feature_fraction": self.feature_fraction,
            "lambda_l2": self.lambda_l2,
            "lambdarank_truncation_level": self.truncation_level,
            "lambdarank_position_bias_regularization": self.position_bias_regularization,
            "label_gain": list(self.gains),
            "num_threads": self.threads,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,  # else it times both and may choose the other one next time
            "verbosity": -1,
            **monotone,
            **bagging,
            **self.parameters,
        }


def load_options(path: Path) -> TrainingOptions:
    """Reads a .json, .yaml or .yml file. Raises TrainingError with the option's name."""
    return validated(TrainingOptions, read_settings(path, TrainingError), path, TrainingError)


def hold_out(
    data: RankingData, features: Sequence[str], options: TrainingOptions, folds: Sequence[Sequence[str]]
) -> HeldOut:
    """Trains without each fold (query_ids) in turn, all with the number of trees that ranks the folds best on average.

    All folds grow together, and stop `early_stopping` trees after their highest mean nDCG; a few dozen queries alone
    would stop by chance. Every row must be judged and its query in a fold. Raises TrainingError.
    """
    import lightgbm

    boosters = []
    for fold in folds:
        dev, rest = data.rows_of(set(fold)), data.of(set(data.query_ids) - set(fold))
        if dev.any():
            _check(rest, features, options)
            training = _dataset(rest, features, options)
            booster = lightgbm.Booster(options.lightgbm(features), training)
            booster.add_valid(_dataset(data.of(set(fold)), features, options, reference=training), "dev")
            boosters.append((booster, dev))
    best, trees = -1.0, options.max_trees
    for count in range(1, options.max_trees + 1):
        for booster, _ in boosters:
            booster.update()
        if options.early_stopping:
            mean = fmean(booster.eval_valid()[0][2] for booster, _ in boosters)
            if mean > best:
                best, trees = mean, count
            elif count - trees >= options.early_stopping:
                break
    scores = np.full(len(data.rows), np.nan)
    for booster, dev in boosters:
        scores[dev] = booster.predict(data.rows[dev], num_iteration=trees, num_threads=options.threads)
    return HeldOut(trees, scores)


def train(data: RankingData, features: Sequence[str], options: TrainingOptions, trees: int | None = None) -> "Booster":
    """Trains `trees` trees, by default `max_trees`. The same data and options give the same forest.

    All rows must be judged. Raises TrainingError.
    """
    import lightgbm

    parameters = options.lightgbm(features)
    _check(data, features, options)
    count = options.max_trees if trees is None else trees
    return lightgbm.train(parameters, _dataset(data, features, options), num_boost_round=count)


def _check(data: RankingData, features: Sequence[str], options: TrainingOptions) -> None:
    if bad := [name for name in features if set(name) & set('":,[]{}')]:
        raise TrainingError(f'LightGBM takes no such names of features: {", ".join(bad)}; it reserves " : , [ ] {{ }}')
    if data.rows.shape[1] != len(features):
        raise TrainingError(f"the rows have {data.rows.shape[1]} values, but there are {len(features)} features")
    if (data.grades == UNJUDGED).any():
        raise TrainingError("there are rows that nobody judged; leave them out or give them a grade")
    highest = max(data.grades, default=0)
    if highest < 1:
        raise TrainingError("no row has a grade above 0; there is nothing to learn from")
    if highest >= len(options.gains):
        raise TrainingError(f"there is a grade {highest}, but label_gain ends at {len(options.gains) - 1}")


def _dataset(data: RankingData, features: Sequence[str], options: TrainingOptions, reference: Any = None) -> Any:
    import lightgbm

    return lightgbm.Dataset(
        np.nan_to_num(data.rows, posinf=np.inf, neginf=-np.inf) if options.missing_as_zero else data.rows,
        label=data.grades,
        group=list(data.sizes),
        position=data.positions if reference is None else None,
        feature_name=list(features),
        reference=reference,
        params=options.lightgbm(features),  # its threads and bins apply to the dataset too
    )
