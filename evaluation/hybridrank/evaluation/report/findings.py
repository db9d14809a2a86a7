"""Findings of an experiment on a reranked pipeline, in three sentences: its gain, its cost, and what to try next."""

from collections.abc import Mapping

from hybridrank.evaluation.experiments.results import ExperimentResult
from hybridrank.evaluation.measures.standard import label

__all__ = ["findings"]


def findings(whole: ExperimentResult, parts: Mapping[str, ExperimentResult], pipeline: str) -> tuple[str, str, str]:
    """Returns the sentences on `pipeline`, from the results over all queries and over parts of them, by name.

    The first baseline of all is the pipeline's own first stage.
    """
    gains = " and ".join(f"by {_gain(each, pipeline)} on {name} queries" for name, each in parts.items())
    brought = f"{pipeline} changes the {label(whole.compared_by)} of its own first stage, {whole.baseline}, {gains}."
    return brought, _cost(whole, parts, pipeline), _next(parts, pipeline)


def _gain(result: ExperimentResult, pipeline: str) -> str:
    versus = result.pipelines[pipeline].versus[result.baseline]
    return f"{versus.delta:+.4f} (p {versus.p_holm:.4f})"


def _cost(whole: ExperimentResult, parts: Mapping[str, ExperimentResult], pipeline: str) -> str:
    before = whole.pipelines[whole.baseline].ms_p50
    added = {name: each.ms_p50 - before for name, each in whole.pipelines.items() if name != whole.baseline}
    slowest = max(added, key=lambda name: added[name])
    cost = f"It takes {_time(added[pipeline])} than {whole.baseline} at the median"
    if slowest == pipeline:
        return f"{cost}, the most of all."
    gains = " and ".join(_gain(each, slowest) for each in parts.values())
    return f"{cost}; {slowest} takes {_time(added[slowest])}, for {gains}."


def _time(added_ms: float) -> str:
    return f"{abs(added_ms):.0f} ms {'less' if added_ms < 0 else 'more'}"


def _next(parts: Mapping[str, ExperimentResult], pipeline: str) -> str:
    better = []
    for name, each in parts.items():
        means = {row: found.evaluation.mean[each.compared_by] for row, found in each.pipelines.items()}
        best = max(means, key=lambda row: means[row])
        if means[best] > means[pipeline]:
            better.append(f"{best} is better on {name} queries ({_advice(best, each.baseline)})")
    if not better:
        return "None is better: measure it on your own documents and queries next (hybridrank evaluate)."
    return f"{' and '.join(better)}: try it with your own judgments (hybridrank tune)."


def _advice(best: str, baseline: str) -> str:
    if best == baseline:
        return "so reranking may be left out, or weigh less"
    return "see whether its time is worth it" if "+" in best else "so it may weigh more in the fusion"
