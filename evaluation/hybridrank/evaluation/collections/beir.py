"""Test collections: documents, queries and judgments, and the reader of BEIR folders.

A BEIR folder holds `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`, each of them gzipped or not. A bad line is
reported with its number and skipped; a bad file raises CollectionError. A null field counts as absent.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from hybridrank.common.cells import identifier, whole_number
from hybridrank.common.errors import BadLine, HybridrankError, log_bad_line
from hybridrank.common.user_file import UserFile
from hybridrank.connector.types import Document

__all__ = ["BeirFolder", "Collection", "CollectionError", "Qrels"]

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]
"""Judgments: query_id → doc_id → grade, 0 or more. An absent document is unjudged, not irrelevant."""

_TEXTS = ("title", "text")
_HEADER = (
    {"query-id", "query_id", "queryid", "qid", "query"},
    {"corpus-id", "corpus_id", "doc-id", "doc_id", "docid", "docno", "document"},
    {"score", "grade", "relevance", "rel", "label"},
)


class CollectionError(HybridrankError):
    """A collection cannot be read: the message names the file and the expected content."""


class Collection(Protocol):
    """Documents to search, queries, and their relevant documents."""

    @property
    def name(self) -> str:
        """Name in tables and caches."""
        ...

    def digest(self) -> str:
        """SHA-256 over the documents, as hexadecimal digits: a different digest needs a different index."""
        ...

    def documents(self) -> Iterator[Document]:
        """Yields the documents lazily, each doc_id once; their source has a title and a text."""
        ...

    def queries(self) -> Mapping[str, str]:
        """Returns the query texts by query_id, in the collection's order. Raises CollectionError."""
        ...

    def qrels(self, split: str) -> Qrels:
        """Returns the judgments of a split. Raises CollectionError with the names of the existing splits."""
        ...


@dataclass(frozen=True)
class BeirFolder:
    """A collection in a folder. `report` gets every skipped line; by default it is logged."""

    folder: Path
    report: Callable[[BadLine], None] = field(default=log_bad_line, compare=False)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    def digest(self) -> str:
        """SHA-256 of the bytes of the corpus file."""
        digest = hashlib.sha256()
        with self._find("corpus.jsonl", "the documents").open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def documents(self) -> Iterator[Document]:
        """Yields the corpus in file order; the first of documents with the same `_id`. Other fields are kept."""
        file = self._file("corpus.jsonl", "the documents")
        seen: dict[str, int] = {}
        for number, doc_id, entry in _identified(file):
            if problem := _document_problem(entry):
                file.bad(number, problem)
            elif first := seen.get(doc_id):
                file.bad(number, f"the _id {doc_id!r} is in line {first} already; the first document is kept")
            else:
                seen[doc_id] = number
                given = {name: value for name, value in entry.items() if value is not None or name not in _TEXTS}
                yield Document(doc_id, {**dict.fromkeys(_TEXTS, ""), **given})

    def queries(self) -> Mapping[str, str]:
        """Returns the queries in file order; the first of queries with the same `_id`."""
        file = self._file("queries.jsonl", "the queries")
        queries: dict[str, str] = {}
        for number, query_id, entry in _identified(file):
            text = entry.get("text")
            if not isinstance(text, str | None):
                file.bad(number, "expected a string as text")
            elif query_id in queries:
                file.bad(number, f"the _id {query_id!r} is there already; the first query is kept")
            elif not (text or "").strip():
                file.bad(number, "the query has no words")
            else:
                queries[query_id] = (text or "").strip()
        return queries

    def query_kinds(self) -> Mapping[str, str]:
        """Returns the `kind` (origin) of each query that has one, by query_id."""
        entries = _identified(self._file("queries.jsonl", "the queries"))
        return {query_id: entry["kind"] for _, query_id, entry in entries if isinstance(entry.get("kind"), str)}

    def qrels(self, split: str) -> Qrels:
        """Returns the judgments in `qrels/<split>.tsv`: query-id, corpus-id and score, with or without a header.

        A grade below 0, as TREC gives to spam, becomes 0: judged and not relevant. Also raises CollectionError if every
        line is bad.
        """
        wanted = "query-id, corpus-id and a whole number, tab-separated"
        file = self._file(f"qrels/{split}.tsv", wanted, others=self._splits())
        qrels: dict[str, dict[str, int]] = {}
        wrong = 0
        for place, (number, line) in enumerate(file.lines()):
            cells = [each.strip() for each in line.split("\t")]
            if place == 0 and _is_header(cells):
                continue
            try:
                query_id, doc_id, score = cells
                query_id, doc_id = identifier(query_id, "query-id"), identifier(doc_id, "corpus-id")
                grade = max(0, whole_number(score))
            except ValueError:
                wrong += 1
                file.bad(number, f"expected {wanted}")
                continue
            judged = qrels.setdefault(query_id, {})
            if doc_id in judged:
                file.bad(
                    number, f"{query_id!r} and {doc_id!r} are judged already; the first, {judged[doc_id]}, is kept"
                )
                continue
            judged[doc_id] = grade
        if wrong and not qrels:
            raise CollectionError(f"{file.path}: none of its {wrong} lines is a judgment; expected {wanted}")
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

    def _file(self, name: str, content: str, others: str = "") -> UserFile:
        return UserFile(self._find(name, content, others), CollectionError, self.report)


def _identified(file: UserFile) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yields the objects of a file with line number and `_id`, which is removed from the object."""
    for number, entry in file.objects():
        try:
            own_id = identifier(entry.pop("_id", None), "_id")
        except ValueError as error:
            file.bad(number, str(error))
        else:
            yield number, own_id, entry


def _document_problem(entry: Mapping[str, Any]) -> str:
    """Returns the problem with the fields of a document; empty if there is none."""
    for name in _TEXTS:
        if not isinstance(entry.get(name), str | None):
            return f"expected a string as {name}"
    return "expected a text or a title" if all(entry.get(name) is None for name in _TEXTS) else ""


def _is_header(cells: list[str]) -> bool:
    return len(cells) == len(_HEADER) and all(each.lower() in names for each, names in zip(cells, _HEADER, strict=True))
