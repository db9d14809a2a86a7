"""Clicks → graded judgments, by a model of what people look at before they click.

Two models, both over how often a document was shown and clicked at each place for a query:

- `pbm`, the position-based model: P(click) = examination of the place × attractiveness of the document for the query
  (Craswell et al., WSDM 2008), both found by EM as in Chuklin, Markov & de Rijke, "Click Models for Web Search", 2015,
  section 4.1. It needs documents that were shown at different places; else the two cannot be told apart.
- `coec`, clicks over expected clicks: the document's clicks over what its places get on average over all queries
  (Zhang & Jones, WWW 2007 workshop). 1 is a document as good as its places; no iterations, and tables will do.

Attractiveness, or COEC, becomes a grade by fixed cuts. A pair shown less than `min_shown` times stays unjudged.
"""

import csv
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.ltr.errors import ClickError

__all__ = [
    "CUTS",
    "MODELS",
    "Showing",
    "Shown",
    "coec",
    "examination",
    "grades",
    "pbm",
    "read_ctr_table",
    "read_ubi",
    "ubi_showings",
]

CUTS: Mapping[str, tuple[float, ...]] = {"pbm": (0.05, 0.15, 0.3), "coec": (0.5, 1.0, 2.0)}
"""Where grades 1, 2 and 3 begin."""

_PRIOR_CLICKS, _PRIOR_SHOWN = 0.5, 5.0  # a document starts as one that one in ten clicks; a few clicks change little
_ITERATIONS = 100
_LEAST = 1e-6  # of a probability, so that no place and no document is ruled out for good


@dataclass(frozen=True, slots=True)
class Shown:
    """A document at a 1-based place of a query's results: how often it was shown there, and clicked."""

    query: str
    doc_id: str
    position: int
    shown: int
    clicked: int


def pbm(table: Sequence[Shown]) -> dict[tuple[str, str], float]:
    """(query, doc_id) → attractiveness in (0, 1): the chance of a click at the place where people look most.

    Clicks tell the product of attractiveness and examination alone; so examination is 1 at that place.
    """
    attractive, examined = _fit(table)
    most = max(examined.values(), default=1.0)
    return {pair: each * most for pair, each in attractive.items()}


def examination(table: Sequence[Shown]) -> dict[int, float]:
    """Place → how often people look there, relative to the place where they look most, by the position-based model."""
    found = _fit(table)[1]
    return {place: each / max(found.values()) for place, each in found.items()}


def coec(table: Sequence[Shown]) -> dict[tuple[str, str], float]:
    """(query, doc_id) → clicks over expected clicks, in [0, inf), with a click's worth of prior towards 1."""
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
    """Qrels by query text: query → doc_id → how many of the rising `cuts` its value reaches. Raises ClickError."""
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


def read_ctr_table(path: Path) -> list[Shown]:
    """A CSV file with the columns query, doc_id, position, shown (or impressions) and clicked (or clicks).

    Raises ClickError, and OSError.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        names = {"impressions": "shown", "clicks": "clicked"}
        columns = [names.get(name, name) for name in reader.fieldnames or ()]
        if missing := [name for name in Shown.__dataclass_fields__ if name not in columns]:
            raise ClickError(f"{path}:1: there is no column {', '.join(missing)}")
        reader.fieldnames = columns
        return _summed(_row(row, f"{path}:{number}") for number, row in enumerate(reader, start=2))


@dataclass(frozen=True, slots=True)
class Showing:
    """One document that one search showed: the query's text, the 1-based place, and whether it was clicked."""

    query: str
    position: int
    clicked: bool


def read_ubi(path: Path) -> list[Shown]:
    """The showings of `ubi_showings`, counted by query text, document and place. Raises ClickError, and OSError."""
    showings = ubi_showings(path).items()
    return _summed(Shown(each.query, doc_id, each.position, 1, int(each.clicked)) for (_, doc_id), each in showings)


def ubi_showings(path: Path) -> dict[tuple[str, str], Showing]:
    """(query_id, doc_id) → what became of it, from events of User Behavior Insights as JSON lines.

    Lines are events or hits of the index `ubi_events`. Of actions `impression` and `click` it reads `user_query`,
    `query_id`, `event_attributes.object.object_id` and `event_attributes.position.ordinal`; others are passed over. A
    document counts once a query_id, and a click as having been seen. Raises ClickError, and OSError.
    """
    found: dict[tuple[str, str], Showing] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(filter(str.strip, file), start=1):
            try:
                event: Any = json.loads(line)
                event = event.get("_source", event)
                if event["action_name"] not in {"impression", "click"}:
                    continue
                details = event["event_attributes"]
                pair = (str(event["query_id"]), str(details["object"]["object_id"]))
                each = Showing(str(event["user_query"]), int(details["position"]["ordinal"]), clicked=False)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ClickError(f"{path}:{number}: not a UBI event: {type(error).__name__} {error}") from None
            clicked = event["action_name"] == "click" or (pair in found and found[pair].clicked)
            found[pair] = replace(found.get(pair, each), clicked=clicked)
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
            passed = row.shown - row.clicked  # a click was looked at and liked; the others were one of these or neither
            liked[pair] += row.clicked + passed * a * (1 - e) / (1 - a * e)
            looked[place] += row.clicked + passed * e * (1 - a) / (1 - a * e)
            shown[pair] += row.shown
            at[place] += row.shown
        attractive = {pair: _probability(liked[pair] / shown[pair]) for pair in attractive}
        examined = {place: _probability(looked[place] / at[place]) for place in examined}
    return attractive, examined


def _probability(value: float) -> float:
    return min(max(value, _LEAST), 1 - _LEAST)


def _row(row: Mapping[str, Any], where: str) -> Shown:
    try:
        found = Shown(
            row["query"].strip(), row["doc_id"].strip(), int(row["position"]), int(row["shown"]), int(row["clicked"])
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise ClickError(f"{where}: position, shown and clicked are whole numbers: {error}") from None
    if not found.query or not found.doc_id or found.position < 1 or not 0 <= found.clicked <= found.shown:
        raise ClickError(f"{where}: expected a query, a doc_id, a position from 1 on, and no more clicks than shown")
    return found


def _summed(rows: Iterable[Shown]) -> list[Shown]:
    """One row for each query, document and place that was shown at all."""
    shown: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    clicked: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    for row in rows:
        key = (row.query, row.doc_id, row.position)
        shown[key] += row.shown
        clicked[key] += row.clicked
    return [Shown(*key, count, clicked[key]) for key, count in shown.items() if count]
