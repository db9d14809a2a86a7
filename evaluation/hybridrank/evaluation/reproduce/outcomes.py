"""Outcome of an experiment compared with the expected scores, and with the aim for the shipped models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridrank.evaluation.experiments.results import COMPARED_BY, ExperimentResult
from hybridrank.evaluation.measures.standard import Evaluation
from hybridrank.evaluation.reproduce.experiment_files import Experiment

__all__ = ["Aim", "Outcome", "Verdict"]

LEAST_GAIN = 0.03  # nDCG@10 of rrf+cross-encoder minus that of rrf
LARGEST_P = 0.05  # after Holm's correction, if there is one
ENOUGH_QUERIES = 100
LEAST_KEPT = 0.95  # nDCG@10 of rrf+nano divided by that of rrf+cross-encoder


@dataclass(frozen=True, slots=True)
class Verdict:
    """A pipeline's nDCG@10 and the expected one, both to four places; None if no value is expected yet.

    `degraded` counts answers in which a stage was left out.
    """

    pipeline: str
    expected: float | None
    got: float
    tolerance: float
    degraded: int = 0

    @property
    def ok(self) -> bool:
        """True if both agree within the tolerance; False without an expected value."""
        return self.expected is not None and abs(self.got - self.expected) <= self.tolerance + 1e-9


@dataclass(frozen=True, slots=True)
class Aim:
    """The aim of the shipped models for every collection, and their values on one.

    `gain` is the nDCG@10 of rrf+cross-encoder minus that of rrf, with its `p`; `kept` is the nDCG@10 of rrf+nano
    divided by that of rrf+cross-encoder, None if not measured; `worse` are the rerankers below rrf.
    """

    queries: int
    gain: float
    p: float
    kept: float | None
    worse: tuple[str, ...]

    @property
    def missed(self) -> tuple[str, ...]:
        """Returns every missed part of the aim as text; empty if the aim is reached."""
        found = []
        if self.gain < LEAST_GAIN:
            found.append(f"gain below {LEAST_GAIN}")
        if self.queries >= ENOUGH_QUERIES and self.p >= LARGEST_P:
            found.append("could be chance")
        if self.kept is None:
            found.append("nano not measured")
        elif self.kept < LEAST_KEPT:
            found.append(f"nano below {LEAST_KEPT:.0%}")
        if self.worse:
            found.append(f"worse than rrf: {', '.join(self.worse)}")
        return tuple(found)


@dataclass(frozen=True)
class Outcome:
    """An experiment that was run: its result, or the `problem` that prevented the run.

    `lucene` has the measures of Pyserini's rankings of the same collection, by system, and `lucene_version` Pyserini's
    version.
    """

    experiment: Experiment
    result: ExperimentResult | None = None
    problem: str = ""
    lucene: Mapping[str, Evaluation] = field(default_factory=dict)
    lucene_version: str = ""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One verdict per pipeline; none if it did not run."""
        measured = self.result.pipelines if self.result else {}
        return tuple(
            Verdict(
                name,
                self.experiment.pipelines[name],
                round(each.evaluation.mean[COMPARED_BY], 4),
                self.experiment.tolerance,
                each.degraded,
            )
            for name, each in measured.items()
        )

    @property
    def new_scores(self) -> Mapping[str, float]:
        """New expected scores (pipeline → nDCG@10) where the value differs; none from degraded answers."""
        return {each.pipeline: each.got for each in self.verdicts if each.got != each.expected and not each.degraded}

    @property
    def ok(self) -> bool:
        """True if it ran and every pipeline had the expected score."""
        return self.result is not None and all(each.ok for each in self.verdicts)

    @property
    def aim(self) -> Aim | None:
        """Values for the aim; None if rrf+cross-encoder was not measured against rrf."""
        pipelines = self.result.pipelines if self.result else {}
        best = pipelines.get("rrf+cross-encoder")
        if best is None or "rrf" not in best.versus:
            return None
        nano = pipelines.get("rrf+nano")
        mean = best.evaluation.mean[COMPARED_BY]
        return Aim(
            queries=len(best.evaluation.per_query),
            gain=best.versus["rrf"].delta,
            p=best.versus["rrf"].p_holm,
            kept=nano.evaluation.mean[COMPARED_BY] / mean if nano and mean else None,
            worse=tuple(
                name for name, each in pipelines.items() if name.startswith("rrf+") and each.versus["rrf"].delta < 0
            ),
        )

    def as_json(self) -> dict[str, Any]:
        """Returns JSON values."""
        return {
            "name": self.experiment.name,
            "ok": self.ok,
            "problem": self.problem,
            "expected": dict(self.experiment.pipelines),
            "tolerance": self.experiment.tolerance,
            "aim_missed": list(self.aim.missed) if self.aim else None,
            "lucene": {"version": self.lucene_version, **{name: dict(each.mean) for name, each in self.lucene.items()}},
            **(self.result.as_json() if self.result else {}),
        }
