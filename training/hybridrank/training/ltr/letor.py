"""LETOR text, the format of RankLib and SVMlight: `4 qid:1 1:9.8 2:12.3 # doc`.

A line is a grade, a query, values by the 1-based number of their feature, and a comment that starts with the doc_id, or
contains `docid = …` as in Microsoft's LETOR collections. An absent feature is missing (NaN); SVMlight and LightGBM read
it as 0.
"""

import gzip
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO, cast

from hybridrank.common.cells import number, whole_number, words
from hybridrank.common.user_file import UserFile
from hybridrank.training.ltr.dataset import RankingData, from_groups
from hybridrank.training.ltr.errors import LetorError

__all__ = ["read_letor", "read_sizes", "write_letor"]


Row = tuple[str, int, dict[int, float]]

_MAX_FEATURES = 10_000  # rows are dense: a larger number in one line costs memory in all rows
_MAX_ROWS = 10_000_000  # per query
_DOC_ID = re.compile(r"\s*docid\s*=\s*(\S+)", re.IGNORECASE)


def read_letor(path: Path, *, absent: float = math.nan, sizes: Sequence[int] | None = None) -> RankingData:
    """Reads a file; unzips it if its name ends in .gz.

    `absent` is the value of a feature that a line does not have. `sizes` are the rows of each query in order, for files
    without `qid` with the groups in a separate file (`read_sizes`); the queries are then named 1, 2, 3 …. Raises
    LetorError, and OSError.
    """
    groups: list[tuple[str, list[Row]]] = []
    seen: set[str] = set()
    file = UserFile(path, LetorError)
    owners = [str(group) for group, size in enumerate(sizes or (), start=1) for _ in range(size)]
    read = 0
    for line_number, line in file.lines():
        fields, _, comment = line.partition("#")
        if not fields.strip():
            continue
        try:
            query_id, row = _row(words(fields), comment)
            if sizes is not None:
                query_id = owners[read] if read < len(owners) else _refuse("there are more rows than in the groups")
            elif not query_id:
                _refuse("there is no qid:")
            if not groups or groups[-1][0] != query_id:
                if query_id in seen:
                    _refuse(f"the rows of query {query_id!r} do not stand together")
                seen.add(query_id)
                groups.append((query_id, []))
        except ValueError as error:
            file.bad(line_number, f"{error}; expected GRADE qid:QUERY 1:VALUE 2:VALUE …")
        groups[-1][1].append(row)
        read += 1
    if sizes is not None and read != len(owners):
        raise LetorError(f"{path}: {read} rows, but the groups have {len(owners)}")
    width = max((max(values, default=0) for _, rows in groups for _, _, values in rows), default=0)
    columns = range(1, width + 1)
    dense = [
        (query_id, [(doc_id, grade, [values.get(each, absent) for each in columns]) for doc_id, grade, values in rows])
        for query_id, rows in groups
    ]
    return from_groups(dense, width)


def read_sizes(path: Path) -> tuple[int, ...]:
    """Reads LightGBM's .query file: the number of rows of each query, one per line. Raises LetorError."""
    file = UserFile(path, LetorError)
    sizes: list[int] = []
    for line_number, line in file.lines():
        try:
            sizes.append(whole_number(line))
        except ValueError as error:
            file.bad(line_number, f"expected a whole number a line: {error}")
        if not 0 <= sizes[-1] <= _MAX_ROWS:
            file.bad(line_number, f"expected a number of rows from 0 to {_MAX_ROWS:,}")
    return tuple(sizes)


def write_letor(path: Path, data: RankingData) -> None:
    """Writes a file, zipped if its name ends in .gz; `read_letor` returns exactly the same values.

    Raises LetorError for unjudged rows, because the format has no grade for them, for infinite values, and for a
    query_id with whitespace.
    """
    lines = []
    for query_id, place in data.groups():
        if query_id.split() != [query_id] or "#" in query_id:
            raise LetorError(f"{path}: query {query_id!r} cannot stand in a line: it is empty or has white space or #")
        for doc_id, grade, row in zip(data.doc_ids[place], data.grades[place], data.rows[place], strict=True):
            if grade < 0:
                raise LetorError(f"{path}: {doc_id!r} of {query_id!r} is unjudged; leave it out or give it a grade")
            known = [(feature, value) for feature, value in enumerate(row.tolist(), 1) if not math.isnan(value)]
            if infinite := [feature for feature, value in known if math.isinf(value)]:
                raise LetorError(f"{path}: feature {infinite[0]} of {doc_id!r} of {query_id!r} is infinite")
            values = "".join(f" {feature}:{value!r}" for feature, value in known)
            lines.append(f"{grade} qid:{query_id}{values} # {' '.join(doc_id.split())}\n")
    with _open(path, "wt") as file:
        file.writelines(lines)


def _open(path: Path, mode: str) -> TextIO:
    if path.suffix == ".gz":
        return cast("TextIO", gzip.open(path, mode, encoding="utf-8"))
    return cast("TextIO", path.open(mode, encoding="utf-8"))


def _row(fields: Sequence[str], comment: str) -> tuple[str, Row]:
    """Returns the query, empty if there is none, and the row. Raises ValueError with the wrong field."""
    try:
        grade = whole_number(fields[0])
    except ValueError:
        grade = -1
    if grade < 0:
        _refuse(f"the grade is {fields[0]}, not a whole number from 0 on")
    rest = fields[1:]
    query_id = rest[0][4:] if rest and rest[0].startswith("qid:") else ""
    values: dict[int, float] = {}
    for each in rest[1:] if query_id else rest:
        name, colon, value = each.partition(":")
        if not colon or not re.fullmatch("[0-9]{1,9}", name) or not 1 <= int(name) <= _MAX_FEATURES:
            _refuse(f"{each!r} is not NUMBER:VALUE with a number from 1 to {_MAX_FEATURES}")
        if int(name) in values:
            _refuse(f"feature {name} comes twice")
        try:
            values[int(name)] = number(value)
        except ValueError as error:
            _refuse(f"feature {name}: {error}; leave out what is not known")
    return query_id, (_doc_id(comment), grade, values)


def _doc_id(comment: str) -> str:
    named = _DOC_ID.match(comment)
    return named[1] if named else next(iter(comment.split()), "")


def _refuse(problem: str) -> str:
    raise ValueError(problem)
