"""Lucene's BM25 and RM3 through Pyserini: an independent reference for the rankings of our engines.

Pyserini (Lin et al., SIGIR 2021) runs Anserini's Lucene in its own Java. It runs as a program, by the commands of its
documentation, so that it can use another environment: it needs Python 3.11, torch and a JDK 21.
"""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hybridrank.common.errors import HybridrankError
from hybridrank.connector.types import Document
from hybridrank.evaluation.collections.runs import read_run

__all__ = ["SYSTEMS", "Pyserini", "PyseriniFailed", "pyserini_version"]

SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "Lucene BM25, k1 0.9, b 0.4": ("--bm25", "--k1", "0.9", "--b", "0.4"),  # the values of BEIR's regressions
    "Lucene BM25, k1 1.2, b 0.75": ("--bm25", "--k1", "1.2", "--b", "0.75"),  # our values
    "Lucene BM25+RM3, k1 0.9, b 0.4": ("--bm25", "--k1", "0.9", "--b", "0.4", "--rm3"),
}
"""Name of each system, and its options of `pyserini.search.lucene`."""

DEPTH = 100
TIMEOUT_S = 1800.0


class PyseriniFailed(HybridrankError, ChildProcessError):
    """A program of Pyserini failed; the message has the end of its output."""


def pyserini_version(python: Path) -> str:
    """Returns the version of Pyserini in that Python. Raises ImportError, with what to install, if it has none."""
    code = "from importlib.metadata import version; print(version('pyserini'))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    if found.returncode:
        raise ImportError(
            f"{python} has no Pyserini: pip install 'hybridrank[pyserini]', or give --pyserini-python the Python of an"
            " environment that has it"
        )
    return found.stdout.strip()


@dataclass(frozen=True)
class Pyserini:
    """The Python that has Pyserini, and the folder of a JDK 21 or newer."""

    python: Path
    java_home: Path

    def index(self, documents: Iterable[Document], folder: Path) -> None:
        """Writes documents, title and text as one field, into an empty folder and indexes them there.

        Raises PyseriniFailed.
        """
        (folder / "documents").mkdir(parents=True)
        with (folder / "documents/documents.jsonl").open("w", encoding="utf-8") as file:
            for each in documents:
                contents = f"{each.source.get('title', '')} {each.source.get('text', '')}".strip()
                file.write(json.dumps({"id": each.doc_id, "contents": contents}) + "\n")
        self._run(
            "pyserini.index.lucene",
            *("--collection", "JsonCollection", "--generator", "DefaultLuceneDocumentGenerator", "--threads", "1"),
            *("--input", str(folder / "documents"), "--index", str(folder / "index"), "--storeDocvectors"),
        )

    def search(self, folder: Path, queries: Mapping[str, str], system: str) -> dict[str, tuple[str, ...]]:
        """Returns the first 100 documents of each query that finds any, by one of SYSTEMS, on an index of `index`.

        Raises PyseriniFailed, and RunFileError for ids with whitespace.
        """
        topics, run = folder / "topics.json", folder / "run.trec"  # in JSON, query ids stay strings
        topics.write_text(json.dumps({query_id: {"title": text} for query_id, text in queries.items()}))
        self._run(
            "pyserini.search.lucene",
            *("--index", str(folder / "index"), "--topics", str(topics), "--output", str(run)),
            *("--hits", str(DEPTH), *SYSTEMS[system]),
        )
        return read_run(run)

    def _run(self, module: str, *arguments: str) -> None:
        # Importing pyserini.search creates an OpenAI client, which needs a key but makes no call.
        environment = {"OPENAI_API_KEY": "unused", **os.environ, "JAVA_HOME": str(self.java_home)}
        command = [str(self.python), "-m", module, *arguments]
        try:
            done = subprocess.run(  # noqa: S603
                command, capture_output=True, text=True, check=False, env=environment, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired as error:
            raise PyseriniFailed(f"{module} took longer than {TIMEOUT_S:g} s") from error
        if done.returncode:
            raise PyseriniFailed(f"{module} ended with status {done.returncode}:\n{done.stderr[-2000:].strip()}")
