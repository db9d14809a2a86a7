"""`hybridrank reproduce`: outcomes of experiments, score by score."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from hybridrank.common.counts import counted
from hybridrank.evaluation.experiments.results import COMPARED_BY
from hybridrank.evaluation.reproduce.experiment_files import Experiment, write_expected
from hybridrank.evaluation.reproduce.outcomes import Outcome, Verdict

__all__ = ["show_outcome", "update_expected"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def show_outcome(outcome: Outcome) -> None:
    """Prints a line per score."""
    name = outcome.experiment.name
    if not outcome.result:
        out.print(f"{name:<20} FAIL: {outcome.problem}", markup=False)
    for verdict in outcome.verdicts:
        out.print(f"{name:<20} {_line(verdict)}", markup=False)
    for system, each in outcome.lucene.items():
        out.print(f"{name:<20} {system:<32} {each.mean[COMPARED_BY]:.4f}", markup=False)


def _line(verdict: Verdict) -> str:
    if verdict.expected is None:
        return f"{verdict.pipeline:<20} got {verdict.got:.4f}  FAIL: nothing is expected yet (--update writes it)"
    judgment = "OK" if verdict.ok else "FAIL"
    degraded = f"; {counted(verdict.degraded, 'answer')} degraded" if verdict.degraded else ""
    return f"{verdict.pipeline:<20} expected {verdict.expected:.4f}  got {verdict.got:.4f}  {judgment}{degraded}"


def update_expected(folder: Path, outcome: Outcome) -> Outcome:
    """Writes the new scores into the experiment's file, prints the changes, and returns the outcome against them."""
    for each in outcome.verdicts:
        if each.degraded:
            out.print(f"not updated: {each.pipeline}, {counted(each.degraded, 'degraded answer')}", markup=False)
    changed = outcome.new_scores
    if not changed:
        return outcome
    path = folder / f"{outcome.experiment.name}.yaml"
    write_expected(path, changed)
    for pipeline, value in changed.items():
        before = outcome.experiment.pipelines[pipeline]
        out.print(
            f"updated {path.name}: {pipeline} {'-' if before is None else f'{before:.4f}'} → {value:.4f}", markup=False
        )
    return replace(outcome, experiment=Experiment.load(path))
