"""Collections in memory, with the judgments of one split."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hybridrank.common.counts import first_lines
from hybridrank.common.errors import BadLine
from hybridrank.common.progress import Progress
from hybridrank.connector.types import Document
from hybridrank.evaluation.collections.beir import BeirFolder, Qrels
from hybridrank.evaluation.collections.dangling import dangling

__all__ = ["JudgedCollection", "judged_queries", "note_dangling", "read_collection"]


@dataclass(frozen=True)
class JudgedCollection:
    """Documents, queries (query_id → text), and the judgments of one split."""

    name: str
    digest: str
    split: str
    documents: Sequence[Document]
    queries: Mapping[str, str]
    qrels: Qrels
    bad_lines: int

    def without(self, split: str, query_ids: Collection[str]) -> "JudgedCollection":
        """Returns it without the judgments of these queries, those of another split."""
        kept = {query_id: grades for query_id, grades in self.qrels.items() if query_id not in query_ids}
        return replace(self, split=f"{self.split} without {split}", qrels=kept)

    def facts(self, searched: Mapping[str, str]) -> dict[str, Any]:
        """Returns its description for the JSON of a result; counts the queries that were searched."""
        return {
            "name": self.name,
            "digest": self.digest,
            "split": self.split,
            "documents": len(self.documents),
            "queries": len(searched),
            "judgments": sum(map(len, self.qrels.values())),
            "bad_lines": self.bad_lines,
        }


def read_collection(folder: Path, split: str, progress: Progress) -> JudgedCollection:
    """Reads a BEIR folder; reports bad lines, and judgments of what it does not have. Raises CollectionError."""
    bad_lines: list[BadLine] = []
    collection = BeirFolder(folder, report=bad_lines.append)
    qrels, queries = collection.qrels(split), collection.queries()
    with progress.step(f"reading {collection.name}"):
        documents = list(collection.documents())
        digest = collection.digest()
    for line in first_lines("bad line", bad_lines):
        progress.note(line)
    note_dangling(progress, qrels, queries, documents, split)
    return JudgedCollection(collection.name, digest, split, documents, queries, qrels, len(bad_lines))


def note_dangling(
    progress: Progress, qrels: Qrels, query_ids: Collection[str], documents: Iterable[Document], split: str
) -> None:
    """Reports the number of judgments of queries or documents that the collection does not have."""
    for sentence in dangling(qrels, query_ids, {each.doc_id for each in documents}, split):
        progress.note(f"note: {sentence}")


def judged_queries(queries: Mapping[str, str], qrels: Qrels, limit: int | None = None) -> dict[str, str]:
    """Returns the first `limit` queries that have a judgment, in the order of the collection."""
    judged = [query_id for query_id in queries if query_id in qrels]
    return {query_id: queries[query_id] for query_id in judged[:limit]}
