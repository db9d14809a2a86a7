"""The models that a sidecar would have if a command started it, known without starting one."""

from collections.abc import Collection, Mapping
from typing import Any, cast

from hybridrank.evaluation.experiments.served_models import UnknownModel

__all__ = ["check_startable"]

_ENCODER = "encoder"  # requested by commands, not by users; a command without it has an error of its own


def check_startable(needs: Collection[str], settings: Mapping[str, str], running: str) -> None:
    """Raises UnknownModel with the known names if a sidecar with these settings would not have a model.

    `running` says why the running sidecar cannot be used.
    """
    known = _names(settings)
    lacking = [each for each in needs if each != _ENCODER and each not in known]
    if known and lacking:
        shown = ", ".join(each for each in known if ":" not in each)
        raise UnknownModel(
            f"no model {lacking[0]!r}: one started for this command would have {shown}, and of those that run,"
            f" {running}; `hybridrank serve --models shipped --models FOLDER` serves your own too"
        )


def _names(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Returns all names of the models in the folders of these settings and of the environment.

    Returns none if they cannot be read; the sidecar then reports the reason.
    """
    from hybridrank.sidecar.app.settings import Settings
    from hybridrank.sidecar.models.scan import scan

    try:
        chosen = cast("Any", Settings)(**settings)
        found = scan(chosen.models)
    except (ValueError, OSError):
        return ()
    names = (name for each in found for name in (*each.aliases, each.name, f"{each.name}:{each.version}"))
    return tuple(dict.fromkeys([*names, *chosen.names]))
