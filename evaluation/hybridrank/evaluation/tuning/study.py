"""Search for a configuration with optuna, optionally kept in a file to continue later."""

import json
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridrank.evaluation.experiments.configuration import Configuration
from hybridrank.evaluation.tuning.space import Space
from hybridrank.evaluation.tuning.tune import Attempt, Tuned, TuningError, Values

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["importances", "open_study", "tune"]

_NAME = "hybridrank"
_ABOUT, _CONFIGURATION, _VALUES = "about", "configuration", "values"


@contextmanager
def open_study(file: Path | None, seed: int, about: Mapping[str, Any]) -> "Iterator[Study]":
    """Opens a study in memory, or in a SQLite file, which is created or continued.

    `about` is everything that values depend on: raises TuningError for a file with another one. Proposals are the same
    for the same seed unless the study was interrupted. Raises ImportError with the name of the extra.
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError("tuning needs optuna: pip install 'hybridrank[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}") if file else None
    try:
        study = optuna.create_study(storage=storage, study_name=_NAME, direction="maximize", load_if_exists=True)
        made_for = study.user_attrs.get(_ABOUT)
        wanted = json.loads(json.dumps(about))
        if made_for is None:
            study.set_user_attr(_ABOUT, wanted)
        elif made_for != wanted:
            different = ", ".join(name for name in wanted if made_for.get(name) != wanted[name])
            raise TuningError(f"{file}: was made with another {different}; give another file, or delete this one")
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
        yield study
    finally:
        if storage:
            storage.remove_session()
            storage.engine.dispose()


async def tune(
    study: "Study",
    space: Space,
    default: Configuration,
    measured: Callable[[Configuration], Awaitable[Values]],
    trials: int,
    on_trial: Callable[[int], None] = lambda _count: None,
) -> Tuned:
    """Tries configurations until the study has `trials`, including earlier ones, plus the default.

    `on_trial` gets the number of newly finished trials. A repeated configuration is not measured again.
    """
    attempts = [Attempt(0, default, await measured(default)), *_finished(study)]
    known = {each.configuration.model_dump_json(): each.values for each in attempts}
    on_trial(len(attempts) - 1)
    study.enqueue_trial(space.near(default), skip_if_exists=True)
    while len(attempts) <= trials:
        trial = study.ask()
        configuration = space.choose(trial)
        key = configuration.model_dump_json()
        if key not in known:
            known[key] = await measured(configuration)
        attempt = Attempt(len(attempts), configuration, known[key])
        trial.set_user_attr(_CONFIGURATION, configuration.model_dump(mode="json"))
        trial.set_user_attr(_VALUES, dict(attempt.values))
        study.tell(trial, attempt.mean)
        attempts.append(attempt)
        on_trial(1)
    return Tuned(attempts)


def importances(study: "Study") -> dict[str, float]:
    """Returns how much each choice decided which trials are in the best tenth; shares of 1, the largest first.

    PED-ANOVA (Watanabe, Bansal & Hutter, IJCAI 2023). It is meaningless for a study of a few trials.
    """
    import optuna

    if len(_finished(study)) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # for a choice that few trials had to make
        return dict(optuna.importance.get_param_importances(study))


def _finished(study: "Study") -> list[Attempt]:
    """Returns measured trials, without those that an interruption left open."""
    finished = [each for each in study.trials if each.state.name == "COMPLETE"]
    return [
        Attempt(number, Configuration.model_validate(each.user_attrs[_CONFIGURATION]), dict(each.user_attrs[_VALUES]))
        for number, each in enumerate(finished, start=1)
    ]
