"""LambdaMART (Burges 2010) by LightGBM's `lambdarank`: rows and grades → trees."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.ltr.dataset import UNJUDGED, RankingData
from training.ltr.errors import TrainingError
from training.ltr.ndcg import exponential_gain

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["TrainingOptions", "load_options", "train"]


class TrainingOptions(BaseModel):
    """How to train. The defaults are for some hundred to some thousand judged queries.

    Small trees and a slow rate (`num_leaves`, `learning_rate`) because judgments are few; `max_trees` is a bound that
    early stopping should reach before. `truncation_level` is how far down a ranking pairs are looked at: a little more
    than `ndcg_at`, the nDCG that early stopping watches (LightGBM's advice). `label_gain` has the gain of every grade
    from 0 on; empty means 2^g − 1. `monotone` holds feature → 1 where the score may only rise with it, −1 where it may
    only fall. `position_bias_regularization` is for data with positions. `missing_as_zero` trains on 0 in the place of
    NaN, for servers that know no missing value. `parameters` go to LightGBM by its own names and win over all others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_leaves: Annotated[int, Field(ge=2)] = 15
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    max_trees: Annotated[int, Field(ge=1)] = 500
    early_stopping: Annotated[int, Field(ge=0)] = 50
    min_data_in_leaf: Annotated[int, Field(ge=1)] = 20
    truncation_level: Annotated[int, Field(ge=1)] = 20
    ndcg_at: Annotated[int, Field(ge=1)] = 10
    label_gain: tuple[Annotated[float, Field(ge=0)], ...] = ()
    monotone: Mapping[str, Literal[-1, 1]] = Field(default_factory=dict)
    position_bias_regularization: Annotated[float, Field(ge=0)] = 0.0
    missing_as_zero: bool = False
    seed: Annotated[int, Field(ge=0)] = 17
    threads: Annotated[int, Field(ge=1)] = 2
    parameters: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def gains(self) -> tuple[float, ...]:
        """The gain of each grade."""
        return self.label_gain or exponential_gain()

    def lightgbm(self, features: Sequence[str]) -> dict[str, Any]:
        """LightGBM's parameters. Raises TrainingError for a monotone feature that is not there."""
        if unknown := sorted(set(self.monotone) - set(features)):
            raise TrainingError(f"monotone: the feature set has no {', '.join(unknown)}")
        monotone = {"monotone_constraints": [self.monotone.get(name, 0) for name in features]} if self.monotone else {}
        return {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [self.ndcg_at],
            "num_leaves": self.num_leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_data_in_leaf,
            "lambdarank_truncation_level": self.truncation_level,
            "lambdarank_position_bias_regularization": self.position_bias_regularization,
            "label_gain": list(self.gains),
            "num_threads": self.threads,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,  # else it times both and may take another one next time
            "verbosity": -1,
            **monotone,
            **self.parameters,
        }


def load_options(path: Path) -> TrainingOptions:
    """Read a .json, .yaml or .yml file. Raises TrainingError naming the option, and OSError."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            content: Any = json.loads(text)
        else:
            import yaml

            try:
                content = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise TrainingError(f"{path}: not YAML: {error}") from error
        return TrainingOptions.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise TrainingError(f"{path}: {problems}") from error
    except ImportError as error:
        raise TrainingError(f"{path}: YAML needs pyyaml: pip install 'hybridrank[ltr]'; or write JSON") from error
    except ValueError as error:
        raise TrainingError(f"{path}: {error}") from error


def train(
    data: RankingData,
    features: Sequence[str],
    options: TrainingOptions,
    *,
    dev: RankingData | None = None,
    on_tree: Callable[[], None] = lambda: None,
) -> "Booster":
    """The trees that were best on `dev`, or all of them without one. The same data and options give the same trees.

    All rows must be judged. Raises TrainingError.
    """
    import lightgbm

    parameters = options.lightgbm(features)
    _check(data, features, options)
    training = _dataset(data, features, options)
    callbacks: list[Callable[..., Any]] = [lambda _: on_tree()]
    watched = []
    if dev is not None and options.early_stopping:
        _check(dev, features, options)
        watched = [_dataset(dev, features, options, reference=training)]
        callbacks.append(lightgbm.early_stopping(options.early_stopping, first_metric_only=True, verbose=False))
    booster = lightgbm.train(
        parameters, training, num_boost_round=options.max_trees, valid_sets=watched, callbacks=callbacks
    )
    if booster.best_iteration > 0:  # save_model and predict would keep to it, but dump_model and later readers do not
        text = booster.model_to_string(num_iteration=booster.best_iteration)
        booster = lightgbm.Booster(model_str=text)
    return booster


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
    )
