"""Commands within the process of a test, and a collection of four documents; a test file says which sidecar runs."""

import json
import sys
from types import SimpleNamespace

import pytest

from hybridrank.cli.__main__ import main

TEXTS = {"a": "the rank of a passage", "b": "what is a query", "c": "search engine", "d": "a search of the index"}
QUERIES = {"q1": ("rank of a passage", "a"), "q2": ("what query", "b"), "q3": ("search the engine", "c")}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, sidecar):
    """Runs a command within this process, in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HYBRIDRANK_SIDECAR", sidecar)

    def hybridrank(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["hybridrank", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert ended.value.code == code, printed.err
        return SimpleNamespace(stdout=printed.out, stderr=" ".join(printed.err.split()))

    return hybridrank


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs"
    (folder / "qrels").mkdir(parents=True)
    corpus = [json.dumps({"_id": key, "title": "", "text": text}) for key, text in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(corpus))
    queries = [json.dumps({"_id": key, "text": text}) for key, (text, _) in QUERIES.items()]
    (folder / "queries.jsonl").write_text("\n".join(queries))
    for split, keys in (("dev", ("q1", "q2")), ("test", ("q3",))):
        rows = [f"{key}\t{QUERIES[key][1]}\t1" for key in keys]
        (folder / f"qrels/{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]))
    return folder
