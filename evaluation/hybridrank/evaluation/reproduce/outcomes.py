"""What an experiment gave beside what was expected, and whether the models that ship reach their aim there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridrank.evaluation.experiments.results import COMPARED_BY, ExperimentResult
from hybridrank.evaluation.measures.standard import Evaluation
from hybridrank.evaluation.reproduce.experiment_files import Experiment

__all__ = ["Aim", "Outcome", "Verdict"]

LEAST_GAIN = 0.03  # nDCG@10 of rrf+cross-encoder over rrf
LARGEST_P = 0.05  # after Holm's correction, where there are
ENOUGH_QUERIES = 100
LEAST_KEPT = 0.95  # nDCG@10 of rrf+nano over that of rrf+cross-encoder


@dataclass(frozen=True, slots=True)
class Verdict:
    """A pipeline's nDCG@10 and the expected one, both to four places; None where nothing was expected yet.

    `degraded` counts answers in which a stage was left out.
    """

    pipeline: str
    expected: float | None
    got: float
    tolerance: float
    degraded: int = 0

    @property
    def ok(self) -> bool:
        """Whether they agree within the tolerance; what was never expected does not."""
        return self.expected is not None and abs(self.got - self.expected) <= self.tolerance + 1e-9


@dataclass(frozen=True, slots=True)
class Aim:
    """What the models that ship are to reach on every collection, and what they reach on one.

    `gain` is the nDCG@10 of rrf+cross-encoder less that of rrf, with its `p`; `kept` the nDCG@10 of rrf+nano over that
    of rrf+cross-encoder, None where it was not measured; `worse` the rerankers that end up below rrf.
    """

    queries: int
    gain: float
    p: float
    kept: float | None
    worse: tuple[str, ...]

    @property
    def missed(self) -> tuple[str, ...]:
        """Every part of the aim that is not reached, in words; none when it is met."""
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
    """An experiment that was run: its result, or the `problem` that kept it from running.

    `lucene` has what Pyserini's rankings of the same collection measured, by their names, and `lucene_version` by what.
    """

    experiment: Experiment
    result: ExperimentResult | None = None
    problem: str = ""
    lucene: Mapping[str, Evaluation] = field(default_factory=dict)
    lucene_version: str = ""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One for each pipeline; none when it did not run."""
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
        """What to expect from now on (pipeline → nDCG@10) where that is another value; nothing of degraded answers."""
        return {each.pipeline: each.got for each in self.verdicts if each.got != each.expected and not each.degraded}

    @property
    def ok(self) -> bool:
        """Whether it ran, and every pipeline gave what was expected."""
        return self.result is not None and all(each.ok for each in self.verdicts)

    @property
    def aim(self) -> Aim | None:
        """None where rrf and rrf+cross-encoder were not both measured, or compared with something else."""
        pipelines = self.result.pipelines if self.result else {}
        best = pipelines.get("rrf+cross-encoder")
        if self.experiment.baseline != "rrf" or not best or not best.versus:
            return None
        nano = pipelines.get("rrf+nano")
        mean = best.evaluation.mean[COMPARED_BY]
        return Aim(
            queries=len(best.evaluation.per_query),
            gain=best.versus.delta,
            p=best.versus.p_holm,
            kept=nano.evaluation.mean[COMPARED_BY] / mean if nano and mean else None,
            worse=tuple(
                name
                for name, each in pipelines.items()
                if name.startswith("rrf+") and each.versus and each.versus.delta < 0
            ),
        )

    def as_json(self) -> dict[str, Any]:
        """With values that a JSON writer takes."""
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
