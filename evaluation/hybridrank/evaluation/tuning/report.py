"""Results of tuning as tables, sentences, and the file of the winning configuration."""

from collections.abc import Mapping
from typing import Any

from hybridrank.common.counts import counted
from hybridrank.evaluation.experiments.configuration import Configuration
from hybridrank.evaluation.measures.standard import label
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.evaluation.tuning.tune import FOLDS, SIGNIFICANT, Attempt, Tuned

__all__ = ["attempts_table", "importance_table", "tuned_json", "verdict", "winner_file"]

NOTHING_FOUND = "Nothing found that is better than the defaults"


def verdict(tuned: Tuned, measure: str) -> str:
    """Returns a sentence on whether something better was found on dev, with the evidence."""
    evidence = tuned.evidence
    found = (
        f"by {FOLDS} folds of {counted(len(tuned.default.values), 'query')}, choosing brings {evidence.delta:+.4f}"
        f" {label(measure)} on queries it did not see (p {evidence.p:.4f}, paired randomisation test)"
    )
    if tuned.found:
        return f"Better than the default: {found}."
    if tuned.best is tuned.default:
        return f"{NOTHING_FOUND}: of {counted(len(tuned.attempts) - 1, 'trial')} none is."
    return f"{NOTHING_FOUND}: {found}, and that has to be above 0 with p below {SIGNIFICANT}."


def attempts_table(tuned: Tuned, measure: str, shown: int = 10) -> ReportTable:
    """Returns the default, and below it the best attempts that differ on dev, the best first."""
    distinct: dict[str, Attempt] = {}
    for each in sorted(tuned.attempts[1:], key=lambda each: (-each.mean, each.number)):
        distinct.setdefault(each.configuration.model_dump_json(), each)
    rows = (
        (
            "default" if each is tuned.default else str(each.number),
            f"{each.mean:.4f}",
            _delta(each, tuned),
            *_cells(each),
        )
        for each in (tuned.default, *list(distinct.values())[:shown])
    )
    headers = ("trial", label(measure), "Δ default", "retrievers", "boosts", "fusion", "window", "rescored by")
    return ReportTable(headers, tuple(rows))


def importance_table(importances: Mapping[str, float]) -> ReportTable:
    """Returns how much each choice decided which trials are in the best tenth."""
    rows = tuple((name, f"{share:.0%}") for name, share in importances.items())
    return ReportTable(("choice", "importance"), rows)


def winner_file(tuned: Tuned, measure: str, about: str) -> str:
    """Returns the winner as YAML, below comments on its origin."""
    dev = f"dev {label(measure)} {tuned.winner.mean:.4f}, default {tuned.default.mean:.4f}"
    lines = [about, f"{dev}, {counted(len(tuned.default.values), 'query')}", verdict(tuned, measure)]
    return "".join(f"# {line}\n" for line in lines) + tuned.winner.configuration.as_yaml()


def tuned_json(tuned: Tuned) -> dict[str, Any]:
    """Returns every attempt with its configuration and mean, and the values per query of default and winner."""
    return {
        "default": _json(tuned.default) | {"per_query": dict(tuned.default.values)},
        "best": _json(tuned.best) | {"per_query": dict(tuned.best.values)},
        "found": tuned.found,
        "evidence": {"folds": FOLDS, "delta": tuned.evidence.delta, "p": tuned.evidence.p, "p_t": tuned.evidence.p_t},
        "winner": _json(tuned.winner),
        "attempts": [_json(each) for each in tuned.attempts],
    }


def _json(attempt: Attempt) -> dict[str, Any]:
    return {"number": attempt.number, "mean": attempt.mean, "configuration": attempt.configuration.as_json()}


def _delta(attempt: Attempt, tuned: Tuned) -> str:
    return "–" if attempt is tuned.default else f"{attempt.mean - tuned.default.mean:+.4f}"


def _cells(attempt: Attempt) -> tuple[str, ...]:
    each: Configuration = attempt.configuration
    weights = each.fusion.weights
    retrievers = " ".join(
        f"{name} {weights.get(name, 1):g}" if len(each.retrievers) > 1 else name for name in each.retrievers
    )
    boosts = " ".join(f"{name} {boost:g}" for name, boost in each.fields.items()) or "the index's"
    fusion = " ".join(map(str, (each.fusion.kind, *each.fusion.choices().values())))
    numbers = f", k1 {each.bm25.k1:g} b {each.bm25.b:g}" if each.bm25 else ""
    stage = each.rescore
    return (
        retrievers,
        f"{boosts}{numbers}" if "bm25" in each.retrievers else "–",
        fusion if len(each.retrievers) > 1 else "–",
        str(each.rank_window_size),
        f"{stage.model} {stage.weight:g} of {stage.rescore_window_size}" if stage else "–",
    )
