"""Agreement of judges as tables and as JSON: for each pair, and for all together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from math import isnan
from typing import Any, TypeAlias

import numpy as np

from hybridrank.evaluation.judging.agreement import Agreement, Counts, alpha, coincidences, confusion, estimate, kappa
from hybridrank.evaluation.report.tables import ReportTable

__all__ = ["CAVEAT", "PairAgreement", "agreement_json", "all_agree", "confusion_table", "pair_table", "pairs_agree"]

Grades: TypeAlias = Mapping[str, Mapping[tuple[str, str], int]]  # judge → (query_id, doc_id) → grade
RELEVANT_GRADE = 1

CAVEAT = (
    "Kappa and alpha are low where nearly all documents get one grade, however often judges agree; read them beside the"
    " share that is the same. That judges agree does not make them right. In brackets: 95 % bootstrap over queries."
)


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two judges on their common documents. `same` is the share of equal grades, `relevant` kappa for relevance."""

    first: str
    second: str
    documents: int
    queries: int
    same: float
    kappa: Agreement
    linear: Agreement
    quadratic: Agreement
    relevant: Agreement
    confusion: Counts


def pairs_agree(judged: Grades, scale: Sequence[int]) -> list[PairAgreement]:
    """Returns every pair of judges with documents in common."""
    found = []
    for first, second in combinations(judged, 2):
        by_query: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for (query_id, doc_id), grade in judged[first].items():
            if (query_id, doc_id) in judged[second]:
                by_query[query_id].append((grade, judged[second][query_id, doc_id]))
        if not by_query:
            continue
        counts = {query_id: confusion(pairs, scale) for query_id, pairs in by_query.items()}
        relevant = {
            query_id: confusion([(a >= RELEVANT_GRADE, b >= RELEVANT_GRADE) for a, b in pairs], [False, True])
            for query_id, pairs in by_query.items()
        }
        total = np.sum(list(counts.values()), axis=0)
        found.append(
            PairAgreement(
                first,
                second,
                documents=int(total.sum()),
                queries=len(by_query),
                same=float(total.trace() / total.sum()),
                kappa=estimate(counts, kappa),
                linear=estimate(counts, partial(kappa, weights="linear")),
                quadratic=estimate(counts, partial(kappa, weights="quadratic")),
                relevant=estimate(relevant, kappa),
                confusion=total,
            )
        )
    return found


def all_agree(judged: Grades, scale: Sequence[int]) -> dict[str, Agreement]:
    """Returns Krippendorff's alpha of all judges, by level; empty if no document has two judges."""
    by_document: dict[tuple[str, str], list[int]] = defaultdict(list)
    for grades in judged.values():
        for document, grade in grades.items():
            by_document[document].append(grade)
    by_query: dict[str, list[list[int]]] = defaultdict(list)
    for (query_id, _), given in by_document.items():
        if len(given) > 1:
            by_query[query_id].append(given)
    if not by_query:
        return {}
    counts = {query_id: coincidences(documents, scale) for query_id, documents in by_query.items()}
    return {
        "ordinal": estimate(counts, partial(alpha, level="ordinal")),
        "nominal": estimate(counts, partial(alpha, level="nominal")),
    }


def pair_table(pairs: Sequence[PairAgreement]) -> ReportTable:
    """Returns one row per pair of judges."""
    headers = ("judges", "documents", "same", "kappa", "linear", "quadratic", "relevant or not")
    rows = (
        (
            f"{each.first} / {each.second}",
            str(each.documents),
            f"{each.same:.1%}",
            *map(shown, (each.kappa, each.linear, each.quadratic, each.relevant)),
        )
        for each in pairs
    )
    return ReportTable(headers, tuple(rows))


def confusion_table(pair: PairAgreement, scale: Sequence[int]) -> ReportTable:
    """Returns the counts of one judge's grade (row) against the other's (column)."""
    rows = (
        (f"{pair.first}: {grade}", *(f"{count:.0f}" for count in row))
        for grade, row in zip(scale, pair.confusion, strict=True)
    )
    return ReportTable(("", *(f"{pair.second}: {grade}" for grade in scale)), tuple(rows))


def shown(agreement: Agreement) -> str:
    """Returns the value with its interval, if defined."""
    if isnan(agreement.value):
        return "–"
    interval = "" if isnan(agreement.low) else f" [{agreement.low:.2f}, {agreement.high:.2f}]"
    return f"{agreement.value:.3f}{interval}"


def agreement_json(pairs: Sequence[PairAgreement], of_all: Mapping[str, Agreement], scale: Sequence[int]) -> Any:
    """Returns all values as JSON, with null for undefined ones."""
    content = {
        "scale": list(scale),
        "pairs": [asdict(each) | {"confusion": each.confusion.astype(int).tolist()} for each in pairs],
        "alpha": {level: asdict(each) for level, each in of_all.items()},
    }
    return _without_nan(content)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and isnan(value) else value
