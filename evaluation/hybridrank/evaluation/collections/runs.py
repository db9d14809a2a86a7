"""TREC run files: one line per document, `query_id Q0 doc_id rank score tag`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hybridrank.common import atomic
from hybridrank.common.cells import number, words
from hybridrank.common.errors import HybridrankError
from hybridrank.common.json_values import text_problem
from hybridrank.common.user_file import UserFile

__all__ = ["RunFileError", "read_run", "write_run"]


class RunFileError(HybridrankError, ValueError):
    """A run file cannot be written or read: the message names the file, and the line or the id."""


def write_run(path: Path, rankings: Mapping[str, Sequence[str]], tag: str) -> None:
    """Writes rankings (query_id → doc_ids, best first). The folder must exist; the file is replaced as a whole.

    The score is the number of documents from that rank to the end. trec_eval sorts by score alone, and a pipeline's own
    scores have ties and a different scale below the rescore window. Raises RunFileError for an id with white space.
    """
    lines = []
    for query_id, doc_ids in rankings.items():
        for rank, doc_id in enumerate(doc_ids, start=1):
            for each in (query_id, doc_id, tag):
                if each.split() != [each] or text_problem(each):
                    problem = text_problem(each) or "is empty or has white space"
                    raise RunFileError(f"{path}: {each!r} cannot stand in a TREC run: it {problem}")
            lines.append(f"{query_id} Q0 {doc_id} {rank} {len(doc_ids) - rank + 1} {tag}\n")
    atomic.write_text(path, "".join(lines))


def read_run(path: Path) -> dict[str, tuple[str, ...]]:
    """Reads rankings; each query sorted by score, equal scores in file order. Raises RunFileError."""
    scored: dict[str, dict[str, float]] = {}
    file = UserFile(path, RunFileError)
    for line_number, line in file.lines():
        try:
            query_id, _, doc_id, _, score, _ = words(line)
            value = number(score)
        except ValueError:
            file.bad(line_number, "expected query_id Q0 doc_id rank score tag, with a finite number as score")
        if doc_id in scored.setdefault(query_id, {}):
            file.bad(line_number, f"{doc_id!r} comes a second time for query {query_id!r}")
        scored[query_id][doc_id] = value
    return {
        query_id: tuple(sorted(documents, key=documents.__getitem__, reverse=True))
        for query_id, documents in scored.items()
    }
