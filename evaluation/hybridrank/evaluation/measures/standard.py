"""Quality of a ranking by ir-measures, for each query and on average.

A measure is written as its name and cutoff, `ndcg@10`; without a cutoff it uses all documents.

- `ndcg`: linear gain, as in trec_eval and BEIR: a document of grade g at rank r gives g / log2(r + 1), divided by the
  value of the ideal order of all judged documents (not 2^g - 1).
- `rr`: 1 / rank of the first relevant document, 0 if there is none. Its mean is MRR.
- `ap`: the sum of the precision at each rank of a relevant document, divided by the number of all relevant documents.
  Its mean is MAP.
- `p@k`: the share of the first k that is relevant; empty ranks count as not relevant.
- `r@k`: the share of the relevant documents that are among the first k.
- `judged@k`: the share of the first k documents that are judged, 0 if none was found; a low value warns that the other
  measures are unreliable, because unjudged documents count as not relevant.
- `err@k`: expected reciprocal rank, see `evaluation.err`.

All are in [0, 1]. A document is relevant from grade 1 on. A query without a relevant document cannot distinguish
rankings: it is left out of every mean, and counted. A grade below 0 counts as 0.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

import ir_measures
from ir_measures import AP, RR, Judged, P, R, nDCG

from hybridrank.evaluation.collections.beir import CollectionError, Qrels
from hybridrank.evaluation.measures.err import MAX_GRADE, expected_reciprocal_rank

__all__ = ["STANDARD_MEASURES", "Evaluation", "cutoff", "evaluate", "label", "parse_measure"]

STANDARD_MEASURES = ("ndcg@10", "rr@10", "r@100", "judged@10")
RELEVANT_GRADE = 1

_BY_IR_MEASURES = {"ndcg": nDCG, "rr": RR, "ap": AP, "p": P, "r": R, "judged": Judged}
_LABELS = {"ndcg": "nDCG", "rr": "MRR", "ap": "MAP", "p": "P", "r": "R", "judged": "judged", "err": "ERR"}
_ALSO_CALLED = {"mrr": "rr", "map": "ap", "precision": "p", "recall": "r"}
_OF_ALL = ("ndcg", "rr", "ap")  # the other measures need a number


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Measures of one run: `per_query` (query_id → measure → value), their `mean`, and the queries left out."""

    per_query: Mapping[str, Mapping[str, float]]
    mean: Mapping[str, float]
    without_relevant: tuple[str, ...] = ()


def parse_measure(name: str) -> str:
    """Returns the measure's name as used in results. Raises ValueError with the valid names.

    >>> parse_measure("MRR@10"), parse_measure("map"), parse_measure("recall@50")
    ('rr@10', 'ap', 'r@50')
    """
    found = re.fullmatch(r"([a-z]+)(?:@([1-9][0-9]*))?", name.strip().lower())
    kind = _ALSO_CALLED.get(found[1], found[1]) if found else ""
    if not found or kind not in _LABELS or (not found[2] and kind not in _OF_ALL):
        whole, cut = (", ".join(each for each in _LABELS if (each in _OF_ALL) is of_all) for of_all in (True, False))
        raise ValueError(f"there is no measure {name!r}: it is one of {whole}, with or without @K, or {cut} with @K")
    return f"{kind}@{found[2]}" if found[2] else kind


def cutoff(measure: str) -> int | None:
    """Returns the number of documents that a measure uses; None for all."""
    return int(measure.partition("@")[2] or 0) or None


def label(measure: str) -> str:
    """Returns the table heading for the mean of a measure.

    >>> label("ndcg@10"), label("ap"), label("judged@10")
    ('nDCG@10', 'MAP', 'judged')
    """
    if measure == "judged@10":
        return "judged"  # needs no number, because the other measures are at ten too
    kind, at, k = measure.partition("@")
    return _LABELS[kind] + at + k


def evaluate(
    qrels: Qrels, rankings: Mapping[str, Sequence[str]], measures: Sequence[str] = STANDARD_MEASURES
) -> Evaluation:
    """Measures `rankings` (query_id → doc_ids, best first) against the judgments.

    `measures` are names as `parse_measure` returns them. A judged query without a ranking scores 0 in every measure.
    Raises CollectionError if nothing relevant was judged, or a grade is above ERR's maximum.
    """
    judged = {
        query_id: {doc_id: max(0, grade) for doc_id, grade in grades.items()}
        for query_id, grades in qrels.items()
        if max(grades.values(), default=0) >= RELEVANT_GRADE
    }
    if not judged:
        raise CollectionError(
            f"none of the judged queries ({len(qrels)}) has a relevant document (grade {RELEVANT_GRADE} or more)"
        )
    if any(name.startswith("err@") for name in measures):
        _check_grades(judged)
    per_query = {query_id: dict.fromkeys(measures, 0.0) for query_id in judged}
    names = {_ir_measure(name): name for name in measures if not name.startswith("err@")}
    calculated = ir_measures.iter_calc(list(names), judged, _scored(rankings, judged)) if names else ()
    for metric in calculated:
        per_query[metric.query_id][names[metric.measure]] = metric.value
    for name in measures:
        if name.startswith("err@"):
            for query_id, grades in judged.items():
                ranking = rankings.get(query_id, ())[: cutoff(name)]
                per_query[query_id][name] = expected_reciprocal_rank([grades.get(doc_id, 0) for doc_id in ranking])
    mean = {name: fsum(values[name] for values in per_query.values()) / len(per_query) for name in measures}
    return Evaluation(per_query, mean, tuple(query_id for query_id in qrels if query_id not in judged))


def _ir_measure(name: str) -> Any:
    kind, _, _ = name.partition("@")
    k = cutoff(name)
    return _BY_IR_MEASURES[kind] @ k if k else _BY_IR_MEASURES[kind]


def _check_grades(judged: Qrels) -> None:
    for query_id, grades in judged.items():
        if (highest := max(grades.values())) > MAX_GRADE:
            raise CollectionError(
                f"query {query_id}: ERR knows grades up to {MAX_GRADE}, and one is {highest}; leave it out"
            )


def _scored(rankings: Mapping[str, Sequence[str]], judged: Qrels) -> dict[str, dict[str, float]]:
    """Returns scores that fall with the rank, to keep our order: trec_eval sorts by score, ties by doc_id."""
    return {
        query_id: {doc_id: -float(rank) for rank, doc_id in enumerate(rankings[query_id], start=1)}
        for query_id in judged
        if rankings.get(query_id)
    }
