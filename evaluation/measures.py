"""How good a ranking is, by ir-measures, for each query and on average.

- `ndcg@10`: linear gain, as trec_eval and BEIR have it: a document of grade g at rank r gives g / log2(r + 1), over
  what the ideal order of all judged documents gives (not 2^g - 1). In [0, 1].
- `rr@10`: 1 / rank of the first relevant document, 0 when none is among ten. Its mean is MRR@10. In [0, 1].
- `r@100`: the share of the relevant documents that are among the first hundred. In [0, 1].
- `judged@10`: the share of the first ten documents that somebody judged, 0 when none was found. In [0, 1]; a low value
  warns that the others are guesses, because unjudged documents count as not relevant.

A document is relevant from grade 1 on. A query without a relevant document cannot tell rankings apart: it is left out
of every mean, and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

import ir_measures
from ir_measures import RR, Judged, R, nDCG

from evaluation.collections import CollectionError, Qrels

__all__ = ["MEASURES", "Evaluation", "evaluate"]

MEASURES = {"ndcg@10": nDCG @ 10, "rr@10": RR @ 10, "r@100": R @ 100, "judged@10": Judged @ 10}
RELEVANT_GRADE = 1


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Measures of one run: `per_query` (query_id → measure → value), their `mean`, and the queries left out."""

    per_query: Mapping[str, Mapping[str, float]]
    mean: Mapping[str, float]
    without_relevant: tuple[str, ...] = ()


def evaluate(qrels: Qrels, rankings: Mapping[str, Sequence[str]]) -> Evaluation:
    """Measure `rankings` (query_id → doc_ids, best first) against the judgments.

    A judged query without a ranking scores 0 in everything. Raises CollectionError when nothing relevant was judged.
    """
    judged = {
        query_id: grades for query_id, grades in qrels.items() if max(grades.values(), default=0) >= RELEVANT_GRADE
    }
    if not judged:
        raise CollectionError(
            f"none of the {len(qrels)} judged queries has a relevant document (grade {RELEVANT_GRADE} or more)"
        )
    per_query = {query_id: dict.fromkeys(MEASURES, 0.0) for query_id in judged}
    names = {measure: name for name, measure in MEASURES.items()}
    for metric in ir_measures.iter_calc(list(names), judged, _scored(rankings, judged)):
        per_query[metric.query_id][names[metric.measure]] = metric.value
    mean = {name: fsum(values[name] for values in per_query.values()) / len(per_query) for name in MEASURES}
    return Evaluation(per_query, mean, tuple(query_id for query_id in qrels if query_id not in judged))


def _scored(rankings: Mapping[str, Sequence[str]], judged: Qrels) -> dict[str, dict[str, float]]:
    """Scores that fall with the rank, so that the order stays ours: trec_eval sorts by score, ties by doc_id."""
    return {
        query_id: {doc_id: -float(rank) for rank, doc_id in enumerate(rankings[query_id], start=1)}
        for query_id in judged
        if rankings.get(query_id)
    }
