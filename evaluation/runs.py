"""TREC run files: one line a document, `query_id Q0 doc_id rank score tag`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["RunFileError", "read_run", "write_run"]


class RunFileError(ValueError):
    """A run file cannot be written or read as one: the message names the file, and the line or the id."""


def write_run(path: Path, rankings: Mapping[str, Sequence[str]], tag: str) -> None:
    """Write rankings (query_id → doc_ids, best first). The folder must exist; the file is replaced as a whole.

    The score is the number of documents from there to the end. trec_eval orders by score alone, and a pipeline's own
    scores have ties and change their scale below the rescore window. Raises RunFileError for an id with white space.
    """
    lines = []
    for query_id, doc_ids in rankings.items():
        for rank, doc_id in enumerate(doc_ids, start=1):
            for each in (query_id, doc_id, tag):
                if not each or each.split() != [each]:
                    raise RunFileError(f"{path}: {each!r} cannot stand in a TREC run: it is empty or has white space")
            lines.append(f"{query_id} Q0 {doc_id} {rank} {len(doc_ids) - rank + 1} {tag}\n")
    draft = path.with_name(f"{path.name}.new")
    draft.write_text("".join(lines), encoding="utf-8")
    draft.replace(path)


def read_run(path: Path) -> dict[str, tuple[str, ...]]:
    """Read rankings; within a query by score, equal scores in the order of the file. Raises RunFileError."""
    scored: dict[str, dict[str, float]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            query_id, _, doc_id, _, score, _ = line.split()
            value = float(score)
        except ValueError:
            raise RunFileError(f"{path}:{number}: expected query_id Q0 doc_id rank score tag") from None
        if doc_id in scored.setdefault(query_id, {}):
            raise RunFileError(f"{path}:{number}: {doc_id!r} comes a second time for query {query_id!r}")
        scored[query_id][doc_id] = value
    return {
        query_id: tuple(sorted(documents, key=documents.__getitem__, reverse=True))
        for query_id, documents in scored.items()
    }
