"""Loss and dev nDCG over the steps of a training, as a table and as a plot."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # writes a file, opens no window
from matplotlib import pyplot

from hybridrank.training.neural.dev import ALONE, BLENDED, GIVEN

__all__ = ["write_curves"]

COLUMNS = ("step", "loss", "learning_rate", f"eval_{GIVEN}", f"eval_{ALONE}", f"eval_{BLENDED}")


def write_curves(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Writes `curves.csv` and `curves.png`; `history` is the Trainer's log."""
    with (folder / "curves.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore", restval="")
        table.writeheader()
        table.writerows(entry for entry in history if entry.keys() & set(COLUMNS[1:]))
    figure, (losses, quality) = pyplot.subplots(2, sharex=True, figsize=(8, 6), layout="constrained")
    losses.plot(*_points(history, "loss"))
    losses.set_ylabel("training loss")
    for name in (GIVEN, ALONE, BLENDED):
        quality.plot(*_points(history, f"eval_{name}"), marker="o", label=name)
    quality.set_ylabel("dev nDCG@10")
    quality.set_xlabel("step")
    quality.legend()
    figure.savefig(folder / "curves.png", dpi=120)
    pyplot.close(figure)


def _points(history: Sequence[Mapping[str, Any]], name: str) -> tuple[list[int], list[float]]:
    found = [(entry["step"], entry[name]) for entry in history if name in entry]
    return [step for step, _ in found], [value for _, value in found]
