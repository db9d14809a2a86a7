"""A command that has nothing to write says why and fails, and leaves no empty file behind."""

import sys

import pytest

from hybridrank.cli.__main__ import main
from hybridrank.evaluation.collections.runs import write_run
from tests.evaluation.menu import write_menu

FEATURES = "name: menu\nfeatures:\n  - {name: rank, kind: fused, value_of: rank}\n"
HEADER = "query-id\tcorpus-id\tscore\n"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, sidecar_address):
    """Runs a command within this process, in a folder of the test's own; the exit code and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HYBRIDRANK_SIDECAR", sidecar_address)

    def hybridrank(words):
        monkeypatch.setattr(sys, "argv", ["hybridrank", *words.split()])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, " ".join(capsys.readouterr().err.split())

    return hybridrank


@pytest.fixture
def menu(tmp_path):
    """The collection, a copy of it without documents, splits that judge nothing of it, and what else holds nothing."""
    menu, bare = write_menu(tmp_path / "menu"), write_menu(tmp_path / "bare")
    (bare / "corpus.jsonl").write_text("")
    (menu / "qrels/none.tsv").write_text(HEADER)
    (menu / "qrels/stray.tsv").write_text(f"{HEADER}q9\ttea\t1\n")
    (menu / "qrels/unfound.tsv").write_text(f"{HEADER}q1\tcake\t1\n")
    (tmp_path / "features.yaml").write_text(FEATURES)
    (tmp_path / "seldom.csv").write_text("query,doc_id,position,shown,clicked\ntea,tea,1,9,3\ntea,chai,2,9,1\n")
    (tmp_path / "bare.csv").write_text("query,doc_id,position,shown,clicked\n")
    for name in ("none.jsonl", "none.run"):
        (tmp_path / name).touch()
    write_run(tmp_path / "all.run", {"q1": ["tea", "chai"], "q2": ["soup"]}, "all")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("ltr judgments seldom.csv --out out", "of 2 documents of a query none was shown 10 times; see --min-shown"),
        ("ltr judgments bare.csv --out out", "of 0 documents of a query none was shown 10 times"),
        ("ltr log --collection menu --features features.yaml --split none --out out", "none.tsv judges no query"),
        ("ltr log --collection menu --features features.yaml --split stray --out out", "stray.tsv judges no query"),
        (
            "ltr log --collection menu --features features.yaml --split unfound --window 1 --unjudged drop --out out",
            "no candidate is judged; --unjudged zero keeps",
        ),
        ("ltr train --collection menu --features features.yaml --split none --out out", "none.tsv judges no query"),
        (
            "judgments pool --collection menu --run all.run --without test --out out",
            "3 documents found, all judged in test",
        ),
        ("judgments pool --collection menu --run none.run --out out", "no run ranks a document of these queries"),
        ("judgments import none.jsonl --collection menu --out out", "no line has a grade"),
        ("judgments import none.jsonl --collection menu --onto test --out out", "no line has a grade"),
        ("index --collection bare --index bare", "bare has no document that could be"),
        ("evaluate --collection bare --pipelines bm25 --run-dir out", "holds no document"),
    ],
)
def test_a_command_that_has_nothing_to_write_fails(run, tmp_path, menu, command, why):
    code, said = run(command)
    assert (code, "error: " in said) == (1, True)
    assert why in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["colbert train-codec --collection bare --out out", "model list --sidecar ,"])
def test_a_command_that_is_given_nothing_says_what_is_wrong(run, tmp_path, menu, command):
    code, said = run(command)
    assert code == 2
    assert "no token to learn from in 0 documents" in said or "expected HOST:PORT" in said
    assert not (tmp_path / "out").exists()
