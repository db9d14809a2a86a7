"""Test collections: documents, queries and judgments, and the reader of BEIR folders.

A BEIR folder holds `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`, each of them gzipped or not. What is wrong
with a line is reported with its number and the line is skipped; what is wrong with a file is a CollectionError.
"""

import gzip
import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, cast

from connector.types import Document

__all__ = ["BadLine", "BeirFolder", "Collection", "CollectionError", "Qrels"]

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]
"""Judgments: query_id → doc_id → grade. A document that is not there is unjudged, not irrelevant."""


class CollectionError(Exception):
    """A collection cannot be read: the message names the file and what was expected there."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was skipped: its file, its 1-based number and what is wrong with it."""

    path: Path
    number: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.number}: {self.reason}"


class Collection(Protocol):
    """Documents to search, queries, and which documents answer them."""

    @property
    def name(self) -> str:
        """What tables and caches call it."""
        ...

    def digest(self) -> str:
        """SHA-256 over the documents, as hexadecimal digits: another digest, another index."""
        ...

    def documents(self) -> Iterator[Document]:
        """The documents, read as they are asked for, each doc_id once; their source has a title and a text."""
        ...

    def queries(self) -> Mapping[str, str]:
        """The query texts by query_id, in the collection's order. Raises CollectionError."""
        ...

    def qrels(self, split: str) -> Qrels:
        """The judgments of a split. Raises CollectionError, naming the splits there are."""
        ...


def _log(line: BadLine) -> None:
    logging.getLogger(__name__).warning("%s", line)


@dataclass(frozen=True)
class BeirFolder:
    """A collection in a folder. `report` is told of every line that was skipped; by default it is logged."""

    folder: Path
    report: Callable[[BadLine], None] = field(default=_log, compare=False)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    def digest(self) -> str:
        """SHA-256 of the corpus file as it lies there."""
        digest = hashlib.sha256()
        with self._find("corpus.jsonl", "the documents").open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def documents(self) -> Iterator[Document]:
        """The corpus in file order; of documents with the same `_id` the first. Fields other than `_id` are kept."""
        seen: set[str] = set()
        for number, entry in self._json_lines(path := self._find("corpus.jsonl", "the documents")):
            doc_id = entry.pop("_id")
            if doc_id in seen:
                self.report(BadLine(path, number, f"the _id {doc_id!r} is there already; the first document is kept"))
                continue
            seen.add(doc_id)
            yield Document(doc_id, {"title": "", "text": "", **entry})

    def queries(self) -> Mapping[str, str]:
        """The queries in file order; of queries with the same `_id` the first."""
        queries: dict[str, str] = {}
        for number, entry in self._json_lines(path := self._find("queries.jsonl", "the queries")):
            query_id, text = entry["_id"], entry.get("text", "").strip()
            if query_id in queries:
                self.report(BadLine(path, number, f"the _id {query_id!r} is there already; the first query is kept"))
            elif not text:
                self.report(BadLine(path, number, "the query has no words"))
            else:
                queries[query_id] = text
        return queries

    def query_kinds(self) -> Mapping[str, str]:
        """The `kind` of each query that has one, by query_id: how it came about."""
        lines = self._json_lines(self._find("queries.jsonl", "the queries"))
        return {entry["_id"]: entry["kind"] for _, entry in lines if isinstance(entry.get("kind"), str)}

    def qrels(self, split: str) -> Qrels:
        """The judgments in `qrels/<split>.tsv`: query-id, corpus-id and score, after a header with these names."""
        path = self._find(f"qrels/{split}.tsv", "query-id, corpus-id and score, tab-separated", others=self._splits())
        qrels: dict[str, dict[str, int]] = {}
        for number, line in _lines(path):
            columns = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
            if number == 1 and columns[0] == "query-id":
                continue
            try:
                query_id, doc_id, score = columns
                grade = int(score)
            except ValueError:
                self.report(BadLine(path, number, "expected query-id, corpus-id and a whole number, tab-separated"))
                continue
            judged = qrels.setdefault(query_id, {})
            if doc_id in judged:
                self.report(BadLine(path, number, f"{query_id!r} and {doc_id!r} are judged already; the first is kept"))
                continue
            judged[doc_id] = grade
        return qrels

    def _splits(self) -> str:
        names = {path.name.partition(".tsv")[0] for path in self.folder.glob("qrels/*.tsv*")}
        return f"; there are: {', '.join(sorted(names))}" if names else ""

    def _find(self, name: str, content: str, others: str = "") -> Path:
        for path in (self.folder / name, self.folder / f"{name}.gz"):
            if path.is_file():
                return path
        if not self.folder.is_dir():
            raise CollectionError(f"{self.folder}: there is no such folder; expected a collection in BEIR's layout")
        raise CollectionError(f"{self.folder / name}: there is no such file, nor with .gz; expected {content}{others}")

    def _json_lines(self, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        """The objects of a file with their line numbers; each has a non-empty `_id`, and strings as title and text."""
        for number, line in _lines(path):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except ValueError as error:  # UnicodeDecodeError is one too
                self.report(BadLine(path, number, f"not JSON: {error}"))
                continue
            if problem := _problem(entry):
                self.report(BadLine(path, number, problem))
                continue
            yield number, entry


def _problem(entry: Any) -> str:
    """What is wrong with a line's JSON value; empty when nothing is."""
    if not isinstance(entry, dict):
        return "expected an object with _id and text"
    if not isinstance(entry.get("_id"), str) or not entry["_id"]:
        return "expected a string as _id"
    for name in ("title", "text"):
        if not isinstance(entry.get(name, ""), str):
            return f"expected a string as {name}"
    if "text" not in entry and "title" not in entry:
        return "expected a text or a title"
    return ""


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, unzipped when its name ends in .gz, numbered from 1. Raises CollectionError."""
    try:
        with cast("BinaryIO", gzip.open(path)) if path.suffix == ".gz" else path.open("rb") as file:
            yield from enumerate(file, start=1)
    except (OSError, EOFError, zlib.error) as error:
        raise CollectionError(f"{path}: cannot be read: {error}") from error
