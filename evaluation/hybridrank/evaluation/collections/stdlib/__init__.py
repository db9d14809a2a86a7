"""The documentation of the running Python's standard library as a test collection, with queries and judgments.

One document per public module, class and function that has its own docstring. The doc_id is the public name, which is
the same in every Python version that has it. Queries and judgments ship in this folder, in BEIR's layout.
"""

import hashlib
import json
import platform
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from hybridrank.connector.types import Document
from hybridrank.evaluation.collections.beir import BeirFolder, CollectionError, Qrels
from hybridrank.evaluation.collections.stdlib.importers import count_importers

__all__ = ["StdlibCollection", "read_stdlib"]

FOLDER = Path(__file__).parent
TIMEOUT_S = 120.0  # importing everything takes about one second


@dataclass(frozen=True)
class StdlibCollection:
    """Documents of this Python; judgments of absent documents are left out and counted.

    `skipped` maps each public module that could not be read to the reason; `undocumented` counts the public classes,
    functions and modules without their own docstring.
    """

    entries: tuple[Document, ...]
    skipped: Mapping[str, str]
    undocumented: int
    judged: BeirFolder = field(default_factory=lambda: BeirFolder(FOLDER))

    @property
    def name(self) -> str:
        """The same name for every Python; `digest` distinguishes them."""
        return "python-stdlib"

    @property
    def python(self) -> str:
        """Version of the Python that was read."""
        return platform.python_version()

    def digest(self) -> str:
        """SHA-256 over every field of every document."""
        digest = hashlib.sha256()
        for each in self.entries:
            digest.update(json.dumps([each.doc_id, dict(each.source)], sort_keys=True).encode())
        return digest.hexdigest()

    def documents(self) -> Iterator[Document]:
        """Yields every document: modules first, then classes and functions by module and name."""
        return iter(self.entries)

    def queries(self) -> Mapping[str, str]:
        """Returns the shipped queries."""
        return self.judged.queries()

    def halves(self) -> Mapping[str, tuple[str, ...]]:
        """Returns query ids by half: "described" in other words than the answer, or "typed" as in a search."""
        kinds, halves = self.judged.query_kinds(), dict[str, list[str]]()
        for query_id in self.queries():
            halves.setdefault("described" if kinds.get(query_id) == "described" else "typed", []).append(query_id)
        return {half: tuple(ids) for half, ids in halves.items()}

    def qrels(self, split: str) -> Qrels:
        """Returns the shipped judgments of documents that this Python has."""
        here = {each.doc_id for each in self.entries}
        return {
            query_id: {doc_id: grade for doc_id, grade in grades.items() if doc_id in here}
            for query_id, grades in self.judged.qrels(split).items()
        }

    def dropped_judgments(self, split: str) -> int:
        """Returns the number of judgments of documents that this Python does not have."""
        return sum(map(len, self.judged.qrels(split).values())) - sum(map(len, self.qrels(split).values()))


def read_stdlib(on_progress: Callable[[int, int], None] = lambda _done, _total: None) -> StdlibCollection:
    """Reads the standard library of the running Python in about three seconds, without importing it into this process.

    `on_progress` gets the number of files read and their total. Raises CollectionError.
    """
    command = [sys.executable, "-I", "-S", "-W", "ignore", str(FOLDER / "extract.py")]
    with tempfile.TemporaryFile() as lines, tempfile.TemporaryDirectory() as folder:
        # The child writes its documents to a file, so that it never waits for us while the source is read here.
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=lines, stderr=subprocess.PIPE, cwd=folder)  # noqa: S603
        try:
            importers = count_importers(Path(sysconfig.get_path("stdlib")), on_progress)
            _, complaint = child.communicate(timeout=TIMEOUT_S)
        except BaseException:
            child.kill()
            child.communicate()
            raise
        if child.returncode:
            raise CollectionError(
                f"{sys.executable}: its standard library cannot be read, exit status {child.returncode}: "
                f"{complaint.decode(errors='replace')[-500:].strip()}"
            )
        return _collection(_json_lines(lines), importers)


def _json_lines(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    file.seek(0)
    return map(json.loads, file)


def _collection(lines: Iterable[Mapping[str, Any]], importers: Mapping[str, int]) -> StdlibCollection:
    documents: list[Document] = []
    skipped: dict[str, str] = {}
    undocumented = 0
    for line in lines:
        if "document" in line:
            source = line["document"]
            documents.append(Document(source["name"], {**source, "importers": importers.get(source["module"], 0)}))
        elif "skipped" in line:
            skipped[line["skipped"]] = line["reason"]
        else:
            undocumented = line["undocumented"]
    return StdlibCollection(tuple(documents), skipped, undocumented)
