"""Judgment files: documents to judge, one per line, which people or models fill in; and qrels from the grades.

A line is a JSON object:

    {"query_id": "q1", "query": "hot tea", "doc_id": "chai", "title": "Chai", "text": "Tea with milk …",
     "grade": null, "judge": "", "note": ""}

The judge sets `grade`, a whole number of the scale, and may add a `note`. `judge` is a person, or a model with the
version of its prompt; if empty, it is the file's name. Only query_id, doc_id and grade are needed.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Literal, TypeAlias

from hybridrank.common import atomic
from hybridrank.common.cells import identifier
from hybridrank.common.errors import BadLine
from hybridrank.common.user_file import UserFile
from hybridrank.connector.types import Document
from hybridrank.evaluation.collections.beir import CollectionError, Qrels

__all__ = [
    "Judgment",
    "Merge",
    "Scale",
    "Sheet",
    "by_judge",
    "lines_to_judge",
    "merged",
    "parse_scale",
    "read_judgments",
    "write_qrels",
]

Scale: TypeAlias = range
Merge: TypeAlias = Literal["majority", "mean", "lowest", "highest"]


@dataclass(frozen=True, slots=True)
class Judgment:
    """One judge's grade for one document, and its line."""

    query_id: str
    doc_id: str
    grade: int
    judge: str
    path: Path
    number: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """Content of the files: judgments, lines without a grade, and wrong lines. Every line is one of the three."""

    judgments: tuple[Judgment, ...]
    empty: tuple[BadLine, ...]
    wrong: tuple[BadLine, ...]


def lines_to_judge(
    pooled: Mapping[str, Sequence[str]],
    queries: Mapping[str, str],
    documents: Mapping[str, Document],
    *,
    seed: int,
    characters: int,
    judge: str = "",
) -> Iterator[str]:
    """Yields a line for each pooled document (query_id → doc_ids), those of a query in random order by `seed`.

    The order does not reveal the retriever or the rank. Only the first `characters` of a text are included.
    """
    for query_id, doc_ids in pooled.items():
        shuffled = sorted(doc_ids)
        random.Random(f"{seed} {query_id}").shuffle(shuffled)  # noqa: S311
        for doc_id in shuffled:
            source = documents[doc_id].source
            line = {
                "query_id": query_id,
                "query": queries[query_id],
                "doc_id": doc_id,
                "title": str(source.get("title", "")),
                "text": _beginning(str(source.get("text", "")), characters),
                "grade": None,
                "judge": judge,
                "note": "",
            }
            yield json.dumps(line, ensure_ascii=False) + "\n"


def parse_scale(text: str) -> Scale:
    """Returns the grades from the lowest to the highest. Raises ValueError.

    >>> list(parse_scale("0-3"))
    [0, 1, 2, 3]
    """
    lowest, dash, highest = text.partition("-")
    if not (dash and lowest.isdecimal() and highest.isdecimal() and int(lowest) < int(highest)):
        raise ValueError(f"{text!r} is no scale; write the lowest and the highest grade, 0-3")
    return range(int(lowest), int(highest) + 1)


def read_judgments(
    files: Iterable[Path],
    scale: Scale,
    query_ids: Collection[str] | None = None,
    doc_ids: Collection[str] | None = None,
) -> Sheet:
    """Reads judgment files. If ids are given, other ids are wrong; so is a second judgment of a pair by a judge.

    Raises CollectionError for a file that cannot be read.
    """
    judgments: dict[tuple[str, str, str], Judgment] = {}
    empty: list[BadLine] = []
    wrong: list[BadLine] = []
    for path in files:
        file = UserFile(path, CollectionError, wrong.append)
        for number, line in file.objects():
            try:
                entry = _entry(line, scale)
                _known(entry, query_ids, doc_ids)
            except ValueError as error:
                file.bad(number, str(error))
                continue
            if entry["grade"] is None:
                empty.append(BadLine(path, number, f"no grade for {entry['doc_id']!r} of query {entry['query_id']!r}"))
                continue
            key = (entry["judge"] or path.stem, entry["query_id"], entry["doc_id"])
            if first := judgments.get(key):
                place = f"{first.path}:{first.number}"
                wrong.append(
                    BadLine(path, number, f"{key[0]!r} judged {key[2]!r} of query {key[1]!r} at {place} already")
                )
                continue
            judgments[key] = Judgment(key[1], key[2], entry["grade"], key[0], path, number)
    return Sheet(tuple(judgments.values()), tuple(empty), tuple(wrong))


def merged(judgments: Iterable[Judgment], how: Merge) -> Qrels:
    """Merges to one grade per document, independent of judge order; queries and documents in alphabetical order.

    - majority: the grade that most judges gave, the lowest of ties
    - mean: the mean, rounded; halves down
    - lowest, highest: of all
    """
    grades: dict[tuple[str, str], list[int]] = defaultdict(list)
    for each in judgments:
        grades[each.query_id, each.doc_id].append(each.grade)
    qrels: dict[str, dict[str, int]] = {}
    for (query_id, doc_id), given in sorted(grades.items()):
        qrels.setdefault(query_id, {})[doc_id] = _merge(given, how)
    return qrels


def by_judge(judgments: Iterable[Judgment]) -> dict[str, dict[tuple[str, str], int]]:
    """Returns judge → (query_id, doc_id) → grade, in alphabetical order of judges."""
    found: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for each in judgments:
        found[each.judge][each.query_id, each.doc_id] = each.grade
    return {judge: found[judge] for judge in sorted(found)}


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Writes a split in BEIR's layout; the file is replaced as a whole. Raises CollectionError for an id with a tab."""
    lines = ["query-id\tcorpus-id\tscore\n"]
    for query_id, grades in qrels.items():
        for doc_id, grade in grades.items():
            if any(mark in query_id + doc_id for mark in "\t\r\n"):
                raise CollectionError(
                    f"{path}: {query_id!r} and {doc_id!r} cannot stand there: one has a tab or a line end"
                )
            lines.append(f"{query_id}\t{doc_id}\t{grade}\n")
    atomic.write_text(path, "".join(lines))


def _merge(given: Sequence[int], how: Merge) -> int:
    if how == "mean":
        return ceil(sum(given) / len(given) - 0.5)
    if how == "majority":
        counts = Counter(given)
        return min(counts, key=lambda grade: (-counts[grade], grade))
    return min(given) if how == "lowest" else max(given)


def _entry(line: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    """Returns the ids, judge and grade of a line. Raises ValueError with the reason."""
    judge, grade = line.get("judge") or "", line.get("grade")
    if not isinstance(judge, str):
        raise ValueError("expected a string as judge")
    entry = {name: identifier(line.get(name), name) for name in ("query_id", "doc_id")}
    if "grade" not in line:
        raise ValueError("expected a grade, or null where there is none yet")
    if isinstance(grade, float) and grade.is_integer():
        grade = int(grade)  # spreadsheets and pandas write 2 as 2.0
    if grade is not None and (type(grade) is not int or grade not in scale):
        raise ValueError(f"the grade {grade!r} is not a whole number from {scale[0]} to {scale[-1]}")
    return {**entry, "judge": judge, "grade": grade}


def _known(entry: Mapping[str, Any], query_ids: Collection[str] | None, doc_ids: Collection[str] | None) -> None:
    for name, known in (("query_id", query_ids), ("doc_id", doc_ids)):
        if known is not None and entry[name] not in known:
            raise ValueError(f"the collection has no {name} {entry[name]!r}")


def _beginning(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[:characters].rsplit(maxsplit=1)[0]} …"
