"""A package `pyserini` with the two commands that we call, and their options; it ranks by how many words agree."""

import sys
from pathlib import Path

_INDEX = """
import argparse, os
from pathlib import Path

options = argparse.ArgumentParser(allow_abbrev=False)
for name in ("--collection", "--generator", "--threads", "--input", "--index"):
    options.add_argument(name, required=True)
options.add_argument("--storeDocvectors", action="store_true")
given = options.parse_args()
assert (given.collection, given.generator) == ("JsonCollection", "DefaultLuceneDocumentGenerator")
index = Path(given.index)
index.mkdir()
(index / "documents.jsonl").write_text((Path(given.input) / "documents.jsonl").read_text())
(index.parent / "java_home.txt").write_text(os.environ["JAVA_HOME"])
"""

_SEARCH = """
import argparse, json, os
from pathlib import Path

options = argparse.ArgumentParser(allow_abbrev=False)
for name in ("--index", "--topics", "--output"):
    options.add_argument(name, required=True)
options.add_argument("--hits", type=int, default=1000)
options.add_argument("--k1", type=float)
options.add_argument("--b", type=float)
options.add_argument("--bm25", action="store_true", default=True)
options.add_argument("--rm3", action="store_true")
given = options.parse_args()
assert given.topics.endswith(".json")
assert os.environ["OPENAI_API_KEY"]
index = Path(given.index)
documents = [json.loads(line) for line in (index / "documents.jsonl").read_text().splitlines()]
(index.parent / "options.txt").write_text(f"k1 {given.k1} b {given.b} rm3 {given.rm3}")
lines = []
for query_id, topic in json.loads(Path(given.topics).read_text()).items():
    words = set(topic["title"].lower().split())
    scores = {each["id"]: len(words & set(each["contents"].lower().replace(".", " ").split())) for each in documents}
    found = sorted((each for each in scores if scores[each]), key=scores.get, reverse=True)[: given.hits]
    lines += [f"{query_id} Q0 {each} {rank} {scores[each]:.6f} Anserini" for rank, each in enumerate(found, 1)]
Path(given.output).write_text("".join(f"{line}\\n" for line in lines))
"""


def write_stand_in(folder: Path) -> Path:
    """The program to run in the place of Python, with that package on its path."""
    for name, code in (("index", _INDEX), ("search", _SEARCH)):
        module = folder / "pyserini" / name
        module.mkdir(parents=True)
        (module / "__init__.py").touch()
        (module / "lucene.py").write_text(code)
    (folder / "pyserini/__init__.py").touch()
    (folder / "pyserini-0.0.1.dist-info").mkdir()
    (folder / "pyserini-0.0.1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: pyserini\nVersion: 0.0.1\n")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return python
