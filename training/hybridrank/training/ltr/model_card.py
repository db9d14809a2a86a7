"""The README.md of a trained model: its features, training data, and quality on unseen queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridrank.common.counts import counted
from hybridrank.ltr_features import FeatureSet
from hybridrank.training.ltr.comparison import RankerComparison, win_loss
from hybridrank.training.ltr.dataset import RankingData

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["Importance", "importance", "model_card"]

_EXPLAINED_ROWS = 2000  # TreeSHAP takes some hundred times as long as a score
_SEED = 17
_SHOWN = 5  # queries with the largest wins or losses


@dataclass(frozen=True, slots=True)
class Importance:
    """A feature's share of the gain of all splits, its mean |TreeSHAP| over rows, and its share of missing values."""

    name: str
    gain: float
    shap: float
    missing: float


def importance(booster: "Booster", data: RankingData) -> tuple[Importance, ...]:
    """Returns every feature, the most important by TreeSHAP (Lundberg et al. 2018) first, over a sample of `data`."""
    sample = np.random.default_rng(_SEED).permutation(len(data.rows))[:_EXPLAINED_ROWS]
    gains = booster.feature_importance("gain")
    contributions = np.abs(np.asarray(booster.predict(data.rows[sample], pred_contrib=True, num_threads=1)))[
        :, :-1
    ].mean(axis=0)
    missing = np.isnan(data.rows).mean(axis=0)
    total = gains.sum() or 1.0
    found = [
        Importance(name, float(gain / total), float(shap), float(absent))
        for name, gain, shap, absent in zip(booster.feature_name(), gains, contributions, missing, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (-each.shap, each.name)))


def model_card(
    name: str,
    feature_set: FeatureSet,
    about: Mapping[str, Any],
    features: Sequence[Importance],
    measured: RankerComparison | None = None,
    ranker: str = "lambdamart",
) -> str:
    """Returns Markdown. `about` is shown as a table: data, licence, digests, options."""
    lines = [
        f"# {name}",
        "",
        "A LambdaMART forest (LightGBM): rows of features in, one score a row out, comparable within one query.",
        "",
        *_table(("", ""), [(key, str(value)) for key, value in about.items()]),
        "",
    ]
    if measured:
        lines += _measured(measured, ranker)
    descriptions = {each.name: each.description or each.kind for each in feature_set.features}
    lines += [
        "## Features",
        "",
        "Gain is the share of what all splits gained; mean SHAP how far the feature moves a score, up or down, on",
        "average over rows of the training; missing the share of rows without a value.",
        "",
        *_table(
            ("feature", "gain", "mean SHAP", "missing", "what it is"),
            [
                (each.name, f"{each.gain:.1%}", f"{each.shap:.4f}", f"{each.missing:.0%}", descriptions[each.name])
                for each in features
            ],
        ),
        "",
    ]
    return "\n".join(lines)


def _measured(measured: RankerComparison, ranker: str) -> list[str]:
    baseline = measured.baseline
    rows = []
    for name, evaluation in measured.evaluations.items():
        versus = measured.comparisons.get(name)
        tested = (f"{versus.delta:+.4f}", f"{versus.p:.4f}", f"{versus.p_holm:.4f}") if versus else ("–", "–", "–")
        mean = evaluation.mean
        rows.append((name, f"{mean['ndcg@10']:.4f}", f"{mean['rr@10']:.4f}", f"{mean['judged@10']:.0%}", *tested))
    evaluation = measured.evaluations[baseline]
    outcome = win_loss(measured, ranker)
    most = "; ".join(
        f"{what} most: {', '.join(f'{query_id} {difference:+.3f}' for query_id, difference in each[:_SHOWN])}"
        for what, each in (("won", outcome.wins), ("lost", outcome.losses))
        if each
    )
    return [
        "## Measured",
        "",
        "Cross-validated by query, near-equal queries in one fold: each query is ranked by a model that saw neither it",
        f"nor one like it. {counted(len(evaluation.per_query), 'query')}; left out:"
        f" {len(evaluation.without_relevant)} more without anything relevant.",
        "",
        *_table(("ranker", "nDCG@10", "MRR@10", "judged", f"Δ {baseline}", "p", "p Holm"), rows),
        "",
        "p: two-sided randomisation test on nDCG@10 per query, 10,000 permutations; then with Holm's correction.",
        "",
        f"{ranker} against {baseline}, query by query: {len(outcome.wins)} won, {len(outcome.losses)} lost,"
        f" {outcome.ties} the same. {most}",
        "",
    ]


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [headers, ["---"] * len(headers), *rows]
    return [f"| {' | '.join(each.replace('|', '/') for each in row)} |" for row in cells]
