"""LETOR text, as RankLib and SVMlight have it: `4 qid:1 1:9.8 2:12.3 # doc`.

A line is a grade, a query, values by the 1-based number of their feature, and a comment that starts with the doc_id. A
feature that is not there is missing (NaN); SVMlight's own reading, and LightGBM's, is 0.
"""

import gzip
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO, cast

from training.ltr.dataset import RankingData, from_groups
from training.ltr.errors import LetorError

__all__ = ["read_letor", "read_sizes", "write_letor"]


Row = tuple[str, int, dict[int, float]]


def read_letor(path: Path, *, absent: float = math.nan, sizes: Sequence[int] | None = None) -> RankingData:
    """Read a file, unzipped when its name ends in .gz.

    `absent` is the value of a feature that a line does not have. `sizes` are the rows of each query in order, for files
    without `qid` whose groups are in a file of their own (`read_sizes`); the queries are then called 1, 2, 3 ….
    Raises LetorError, and OSError.
    """
    groups: list[tuple[str, list[Row]]] = []
    seen: set[str] = set()
    with _open(path, "rt") as file:
        owners = [str(number) for number, size in enumerate(sizes or (), start=1) for _ in range(size)]
        read = 0
        for number, line in enumerate(file, start=1):
            fields, _, comment = line.partition("#")
            if not fields.strip():
                continue
            try:
                query_id, row = _row(fields.split(), comment)
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
                raise LetorError(f"{path}:{number}: {error}; expected GRADE qid:QUERY 1:VALUE 2:VALUE …") from None
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
    """LightGBM's .query file: the number of rows of each query, a line each. Raises LetorError."""
    try:
        return tuple(int(line) for line in path.read_text(encoding="utf-8").split())
    except ValueError as error:
        raise LetorError(f"{path}: expected a whole number a line: {error}") from None


def write_letor(path: Path, data: RankingData) -> None:
    """Write a file, zipped when its name ends in .gz; `read_letor` gives back the same values, to the last bit.

    Raises LetorError for unjudged rows, which the format has no grade for, and for a query_id with white space.
    """
    lines = []
    for query_id, place in data.groups():
        if query_id.split() != [query_id] or "#" in query_id:
            raise LetorError(f"{path}: query {query_id!r} cannot stand in a line: it is empty or has white space or #")
        for doc_id, grade, row in zip(data.doc_ids[place], data.grades[place], data.rows[place], strict=True):
            if grade < 0:
                raise LetorError(f"{path}: {doc_id!r} of {query_id!r} is unjudged; leave it out or give it a grade")
            known = ((number, value) for number, value in enumerate(row.tolist(), 1) if not math.isnan(value))
            values = "".join(f" {number}:{value!r}" for number, value in known)
            lines.append(f"{grade} qid:{query_id}{values} # {' '.join(doc_id.split())}\n")
    with _open(path, "wt") as file:
        file.writelines(lines)


def _open(path: Path, mode: str) -> TextIO:
    if path.suffix == ".gz":
        return cast("TextIO", gzip.open(path, mode, encoding="utf-8"))
    return cast("TextIO", path.open(mode, encoding="utf-8"))


def _row(fields: Sequence[str], comment: str) -> tuple[str, Row]:
    """The query, empty when there is none, and the row. Raises ValueError saying which field is wrong."""
    grade = float(fields[0])
    if not grade.is_integer() or grade < 0:
        _refuse(f"the grade is {fields[0]}, not a whole number from 0 on")
    rest = fields[1:]
    query_id = rest[0][4:] if rest and rest[0].startswith("qid:") else ""
    values: dict[int, float] = {}
    for each in rest[1:] if query_id else rest:
        name, colon, value = each.partition(":")
        if not colon or not name.isdigit() or int(name) < 1:
            _refuse(f"{each!r} is not NUMBER:VALUE with a number from 1 on")
        if int(name) in values:
            _refuse(f"feature {name} comes twice")
        values[int(name)] = float(value)
    doc_id, *_ = [*comment.split(), ""]
    return query_id, (doc_id, int(grade), values)


def _refuse(problem: str) -> str:
    raise ValueError(problem)
