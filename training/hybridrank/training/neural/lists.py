"""Training lists of a reranker: a query, some documents, their grades by people and their scores by models.

A file holds one JSON object per line, gzipped if its name ends in .gz. It contains the texts, so that it can be read,
edited and shared without its collection.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO, cast

from hybridrank.common import atomic
from hybridrank.common.counts import counted
from hybridrank.common.user_file import UserFile
from hybridrank.training.neural.errors import RecipeError

__all__ = ["HELD_OUT", "RankedList", "read_lists", "write_lists"]

HELD_OUT = 10


@dataclass(frozen=True, slots=True)
class RankedList:
    """One query with n documents. `grades` are 0, 1, 2 … or None if unjudged.

    `scores` holds n numbers for each name: retrievers ("bm25", "knn"), models of the sidecar, "teacher".
    `collection` is the origin of the query, and `source` the part of it, such as a website, if known.
    """

    query_id: str
    query: str = field(repr=False)
    doc_ids: tuple[str, ...]
    texts: tuple[str, ...] = field(repr=False)
    grades: tuple[int | None, ...]
    scores: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    collection: str = ""
    source: str = ""

    @property
    def has_relevant(self) -> bool:
        """True if a document is judged relevant."""
        return any(grade for grade in self.grades if grade and grade > 0)

    @property
    def held_out(self) -> bool:
        """True for the lists of one source in HELD_OUT, drawn by the names of the sources."""
        return int(hashlib.sha256(self.source.encode()).hexdigest(), 16) % HELD_OUT == 0

    def __post_init__(self) -> None:
        count = len(self.doc_ids)
        others = {"texts": len(self.texts), "grades": len(self.grades)} | {k: len(v) for k, v in self.scores.items()}
        for name, found in others.items():
            if found != count:
                raise ValueError(f"query {self.query_id}: {counted(count, 'document')}, but {name}: {found}")

    def of(self, places: Sequence[int]) -> "RankedList":
        """Returns the documents at these indices, in this order."""
        return replace(
            self,
            doc_ids=tuple(self.doc_ids[place] for place in places),
            texts=tuple(self.texts[place] for place in places),
            grades=tuple(self.grades[place] for place in places),
            scores={name: tuple(values[place] for place in places) for name, values in self.scores.items()},
        )

    def cut(self, words: int | None) -> "RankedList":
        """Returns the list with the first words of each text; all of them if None."""
        return replace(self, texts=tuple(" ".join(text.split()[:words]) for text in self.texts)) if words else self

    def with_scores(self, name: str, values: Sequence[float]) -> "RankedList":
        """Returns the list with n more scores, which replace those of that name."""
        return replace(self, scores={**self.scores, name: tuple(values)})


def write_lists(path: Path, lists: Iterable[RankedList]) -> int:
    """Writes one line per list and returns their number; the file is written in one step."""
    with atomic.replacing(path) as draft, _open(draft, zipped=path.suffix == ".gz") as file:
        return sum(bool(file.write(json.dumps(asdict(each), ensure_ascii=False) + "\n")) for each in lists)


def read_lists(path: Path) -> Iterator[RankedList]:
    """Yields the lists of a file. Raises RecipeError with file and line."""
    file = UserFile(path, RecipeError)
    for number, entry in file.objects():
        try:
            found = _list(entry)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RecipeError(f"{path}:{number}: not a list of documents: {error}") from error
        yield found


def _list(entry: Mapping[str, Any]) -> RankedList:
    """Returns the list of one line. Raises ValueError, TypeError, KeyError and AttributeError for other content."""
    doc_ids, texts, grades = (tuple(entry[name]) for name in ("doc_ids", "texts", "grades"))
    scores = {name: tuple(map(float, values)) for name, values in entry.get("scores", {}).items()}
    query, collection, source = (entry.get(name) or "" for name in ("query", "collection", "source"))
    for name, found in {"query": [query], "collection": [collection], "source": [source], "texts": texts}.items():
        if not all(isinstance(each, str) for each in found):
            raise ValueError(f"{name} is or has something that is not a text")
    if not query.strip() or not doc_ids:
        raise ValueError("it has no query or no documents")
    if not all(each is None or type(each) is int for each in grades):
        raise ValueError("grades has an entry that is neither a whole number nor null")
    return RankedList(
        query_id=entry["query_id"],
        query=query,
        doc_ids=doc_ids,
        texts=texts,
        grades=grades,
        scores=scores,
        collection=collection,
        source=source,
    )


def _open(path: Path, *, zipped: bool) -> TextIO:
    return cast("TextIO", gzip.open(path, "wt", encoding="utf-8") if zipped else path.open("w", encoding="utf-8"))
