"""Clicks → graded judgments, by a click model.

Both models use how often a document was shown and clicked at each rank for a query:

- `pbm`, the position-based model: P(click) = examination of the rank × attractiveness of the document for the query
  (Craswell et al., WSDM 2008), both found by EM as in Chuklin, Markov & de Rijke, "Click Models for Web Search", 2015,
  section 4.1. It needs documents that were shown at different ranks; else the two factors cannot be separated.
- `coec`, clicks over expected clicks: the document's clicks divided by the average of its ranks over all queries
  (Zhang & Jones, WWW 2007 workshop). 1 means a document as good as its ranks; it needs no iterations, only tables.

Fixed cuts turn attractiveness, or COEC, into a grade. A pair shown less than `min_shown` times stays unjudged.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hybridrank.training.ltr.errors import ClickError

__all__ = ["CUTS", "MODELS", "Shown", "coec", "examination", "grades", "pbm"]

CUTS: Mapping[str, tuple[float, ...]] = {"pbm": (0.05, 0.15, 0.3), "coec": (0.5, 1.0, 2.0)}
"""The lowest values of grades 1, 2 and 3."""

_PRIOR_CLICKS, _PRIOR_SHOWN = 0.5, 5.0  # prior of a document: one click in ten impressions; a few clicks change little
_ITERATIONS = 100
_LEAST = 1e-6  # of a probability, so that no rank and no document is excluded forever


@dataclass(frozen=True, slots=True)
class Shown:
    """A document at a 1-based rank of a query's results: its impressions and clicks at that rank."""

    query: str
    doc_id: str
    position: int
    shown: int
    clicked: int


def pbm(table: Sequence[Shown]) -> dict[tuple[str, str], float]:
    """Returns (query, doc_id) → attractiveness in (0, 1): the click probability at the most examined rank.

    Clicks determine only the product of attractiveness and examination; so examination is set to 1 at that rank.
    """
    attractive, examined = _fit(table)
    most = max(examined.values(), default=1.0)
    return {pair: each * most for pair, each in attractive.items()}


def examination(table: Sequence[Shown]) -> dict[int, float]:
    """Returns rank → examination relative to the most examined rank, by the position-based model."""
    found = _fit(table)[1]
    return {place: each / max(found.values()) for place, each in found.items()}


def coec(table: Sequence[Shown]) -> dict[tuple[str, str], float]:
    """Returns (query, doc_id) → clicks over expected clicks, in [0, inf), with a prior of one click towards 1."""
    shown: defaultdict[int, int] = defaultdict(int)
    clicked: defaultdict[int, int] = defaultdict(int)
    for row in table:
        shown[row.position] += row.shown
        clicked[row.position] += row.clicked
    clicks: defaultdict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    expected: defaultdict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    for row in table:
        clicks[row.query, row.doc_id] += row.clicked
        expected[row.query, row.doc_id] += row.shown * clicked[row.position] / shown[row.position]
    return {pair: clicks[pair] / expected[pair] for pair in clicks}


MODELS: Mapping[str, Callable[[Sequence[Shown]], dict[tuple[str, str], float]]] = {"pbm": pbm, "coec": coec}


def grades(
    table: Sequence[Shown], model: str, *, cuts: Sequence[float] = (), min_shown: int = 10
) -> dict[str, dict[str, int]]:
    """Returns query text → doc_id → grade: the number of rising `cuts` that its value reaches. Raises ClickError."""
    if list(cuts) != sorted(set(cuts)):
        raise ClickError(f"the cuts {', '.join(map(str, cuts))} do not rise")
    shown: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in table:
        shown[row.query, row.doc_id] += row.shown
    found: dict[str, dict[str, int]] = {}
    for (query, doc_id), value in MODELS[model](table).items():
        if shown[query, doc_id] >= min_shown:
            found.setdefault(query, {})[doc_id] = bisect_right(cuts or CUTS[model], value)
    return found


def _fit(table: Sequence[Shown]) -> tuple[dict[tuple[str, str], float], dict[int, float]]:
    """EM: attractiveness by (query, doc_id), examination by place."""
    attractive = {(row.query, row.doc_id): 0.5 for row in table}
    examined = {row.position: 1 / row.position for row in table}
    for _ in range(_ITERATIONS):
        liked: defaultdict[tuple[str, str], float] = defaultdict(lambda: _PRIOR_CLICKS)
        shown: defaultdict[tuple[str, str], float] = defaultdict(lambda: _PRIOR_SHOWN)
        looked: defaultdict[int, float] = defaultdict(float)
        at: defaultdict[int, float] = defaultdict(float)
        for row in table:
            pair, place = (row.query, row.doc_id), row.position
            a, e = attractive[pair], examined[place]
            passed = row.shown - row.clicked  # a click was examined and attractive; the others lacked one or both
            liked[pair] += row.clicked + passed * a * (1 - e) / (1 - a * e)
            looked[place] += row.clicked + passed * e * (1 - a) / (1 - a * e)
            shown[pair] += row.shown
            at[place] += row.shown
        attractive = {pair: _probability(liked[pair] / shown[pair]) for pair in attractive}
        examined = {place: _probability(looked[place] / at[place]) for place in examined}
    return attractive, examined


def _probability(value: float) -> float:
    return min(max(value, _LEAST), 1 - _LEAST)
