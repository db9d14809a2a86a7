"""Results of cross-validation: each ranker's order of the same candidates, measured and tested against the baseline."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hybridrank.evaluation.collections.beir import Qrels
from hybridrank.evaluation.experiments.results import COMPARED_BY
from hybridrank.evaluation.measures.significance import Comparison, compare
from hybridrank.evaluation.measures.standard import Evaluation, evaluate
from hybridrank.evaluation.measures.win_loss import WinLoss
from hybridrank.evaluation.measures.win_loss import win_loss as win_loss_by_query
from hybridrank.training.ltr.dataset import Matrix, RankingData

__all__ = ["RankerComparison", "compare_rankers", "rankings", "win_loss"]


@dataclass(frozen=True, slots=True)
class RankerComparison:
    """Measures of each ranker by name, and each other ranker compared with the baseline by nDCG@10."""

    evaluations: Mapping[str, Evaluation]
    comparisons: Mapping[str, Comparison]
    baseline: str


def rankings(data: RankingData, scores: Matrix | None = None) -> dict[str, tuple[str, ...]]:
    """Returns query_id → doc_ids, best first, ties in row order; without scores all in row order."""
    found = {}
    for query_id, place in data.groups():
        doc_ids = data.doc_ids[place]
        order = range(len(doc_ids)) if scores is None else np.argsort(-scores[place], kind="stable").tolist()
        found[query_id] = tuple(doc_ids[each] for each in order)
    return found


def compare_rankers(data: RankingData, qrels: Qrels, scores: Mapping[str, Matrix], baseline: str) -> RankerComparison:
    """Measures the rows in their own order, the `baseline`, and by each ranker's scores (n,).

    Uses all queries of `qrels`: one without candidates scores 0 with every ranker.
    """
    found = {baseline: rankings(data)} | {name: rankings(data, each) for name, each in scores.items()}
    evaluations = {name: evaluate(qrels, each) for name, each in found.items()}
    values = {name: _values(each) for name, each in evaluations.items()}
    others = {name: each for name, each in values.items() if name != baseline}
    return RankerComparison(evaluations, compare(values[baseline], others), baseline)


def win_loss(found: RankerComparison, ranker: str) -> WinLoss:
    """Compares a ranker with the baseline per query, by nDCG@10."""
    return win_loss_by_query(_values(found.evaluations[found.baseline]), _values(found.evaluations[ranker]))


def _values(evaluation: Evaluation) -> dict[str, float]:
    return {query_id: measures[COMPARED_BY] for query_id, measures in evaluation.per_query.items()}
