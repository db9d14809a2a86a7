"""Click files: User Behavior Insights events as JSON lines, and CSV tables of impressions and clicks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from hybridrank.common.cells import identifier, whole_number
from hybridrank.common.counts import counted
from hybridrank.common.errors import BadLine
from hybridrank.common.progress import Progress
from hybridrank.common.user_file import UserFile
from hybridrank.training.ltr.clicks import Shown
from hybridrank.training.ltr.errors import ClickError

__all__ = ["Showing", "note_skipped", "read_ctr_table", "read_ubi", "ubi_showings"]

Pair: TypeAlias = tuple[str, str]
"""query_id and doc_id."""

_LAST_PLACE = 1_000_000  # in a list of results; a larger number is not a rank


def note_skipped(skipped: Sequence[BadLine], progress: Progress) -> None:
    """Reports the number of events that were skipped, and the first of them with their lines."""
    if skipped:
        progress.note(f"note: skipped {counted(len(skipped), 'event')} that cannot be used")
    for line in skipped[:10]:
        progress.note(f"skipped: {line}")


def read_ctr_table(path: Path) -> list[Shown]:
    """Reads a CSV file with the columns query, doc_id, position, shown (or impressions) and clicked (or clicks).

    Raises ClickError.
    """
    file = UserFile(path, ClickError)
    names = {"query": (), "doc_id": (), "position": (), "shown": ("impressions",), "clicked": ("clicks",)}
    rows = []
    for line_number, row in file.table(names):
        try:
            rows.append(_row(row))
        except ValueError as error:
            file.bad(line_number, str(error))
    return _summed(rows)


@dataclass(frozen=True, slots=True)
class Showing:
    """One document shown by one search: the query's text, the 1-based rank, and whether it was clicked."""

    query: str
    position: int
    clicked: bool


def read_ubi(path: Path, report: Callable[[BadLine], None] | None = None) -> list[Shown]:
    """Returns the showings of `ubi_showings`, counted by query text, document and rank. Raises ClickError."""
    showings = ubi_showings(path, report).items()
    return _summed(Shown(each.query, doc_id, each.position, 1, int(each.clicked)) for (_, doc_id), each in showings)


def ubi_showings(path: Path, report: Callable[[BadLine], None] | None = None) -> dict[Pair, Showing]:
    """Returns (query_id, doc_id) → showing, from User Behavior Insights events as JSON lines.

    Lines are events or hits of the index `ubi_events`. For the actions `impression` and `click` it reads `user_query`,
    `query_id`, `event_attributes.object.object_id` and `event_attributes.position.ordinal`; other actions are ignored.
    A document counts once per query_id, and a click also counts as an impression. A click needs no text and no rank if
    the impression of the same document has them. Ordinals may count from 1 or, in the whole file, from 0.

    `report` gets each event that cannot be used, which is then skipped; without `report` the first one raises
    ClickError. Also raises ClickError if no event of the file can be used.
    """
    skipped: list[BadLine] = []
    file = UserFile(path, ClickError, skipped.append if report else None)
    found: dict[Pair, Showing] = {}
    incomplete: dict[Pair, tuple[int, str]] = {}  # clicks without a text or a rank: line number and the missing field
    for line_number, pair, clicked, each in _events(file):
        if isinstance(each, Showing):
            first = found.get(pair, each)
            found[pair] = replace(first, clicked=clicked or first.clicked)
        elif clicked:
            incomplete.setdefault(pair, (line_number, each))
        else:
            file.bad(line_number, f"not a UBI event: {each}")
    for pair, (line_number, problem) in incomplete.items():
        if pair in found:
            found[pair] = replace(found[pair], clicked=True)
        else:
            file.bad(line_number, f"not a UBI event: {problem}, and there is no impression of the document that has it")
    skipped.sort(key=lambda each: each.number)
    if skipped and not found:
        raise ClickError(f"{path}: none of its events can be used ({len(skipped)}); the first: {skipped[0]}")
    if report:
        for line in skipped:
            report(line)
    if any(each.position == 0 for each in found.values()):
        found = {pair: replace(each, position=each.position + 1) for pair, each in found.items()}
    return found


def _events(file: UserFile) -> Iterator[tuple[int, Pair, bool, Showing | str]]:
    """Yields line number, pair, click or not, and the showing or its missing field; an event without a pair is bad."""
    for line_number, line in file.objects():
        event = line.get("_source", line)
        try:
            if not isinstance(event, Mapping) or not isinstance(event.get("action_name"), str):
                raise ValueError("expected a text as action_name")
            if event["action_name"] not in {"impression", "click"}:
                continue
            details = _object(event, "event_attributes")
            object_id = identifier(_object(details, "object").get("object_id"), "object_id")
            pair = (identifier(event.get("query_id"), "query_id"), object_id)
        except ValueError as error:
            file.bad(line_number, f"not a UBI event: {error}")
            continue
        try:
            found: Showing | str = _showing(event, details)
        except ValueError as error:
            found = str(error)
        yield line_number, pair, event["action_name"] == "click", found


def _object(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not isinstance(event.get(name), Mapping):
        raise ValueError(f"expected an object as {name}")
    found: Mapping[str, Any] = event[name]
    return found


def _showing(event: Mapping[str, Any], details: Mapping[str, Any]) -> Showing:
    """Returns the query and the rank. Raises ValueError for a missing one."""
    query, ordinal = event.get("user_query"), _object(details, "position").get("ordinal")
    if not isinstance(query, str) or not query.strip():
        raise ValueError("expected a text as user_query")
    if isinstance(ordinal, float) and ordinal.is_integer():
        ordinal = int(ordinal)
    if type(ordinal) is not int or not 0 <= ordinal <= _LAST_PLACE:
        raise ValueError(f"expected a whole number from 0 to {_LAST_PLACE} as position.ordinal")
    return Showing(query.strip(), ordinal, clicked=False)


def _row(row: Mapping[str, str]) -> Shown:
    try:
        position, shown, clicked = (whole_number(row[name]) for name in ("position", "shown", "clicked"))
    except ValueError as error:
        raise ValueError(f"position, shown and clicked are whole numbers: {error}") from None
    found = Shown(row["query"], row["doc_id"], position, shown, clicked)
    if not found.query or not found.doc_id or not 1 <= position <= _LAST_PLACE or not 0 <= clicked <= shown:
        raise ValueError("expected a query, a doc_id, a position from 1 on, and no more clicks than shown")
    return found


def _summed(rows: Iterable[Shown]) -> list[Shown]:
    """Returns one row for each shown query, document and rank."""
    shown: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    clicked: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    for row in rows:
        key = (row.query, row.doc_id, row.position)
        shown[key] += row.shown
        clicked[key] += row.clicked
    return [Shown(*key, count, clicked[key]) for key, count in shown.items() if count]
