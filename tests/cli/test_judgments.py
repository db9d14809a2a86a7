"""`hybridrank judgments` as a judge uses it: a pool, two who fill it in, agreement, and a split to measure with."""

import json
import sys
from types import SimpleNamespace

import pytest

from hybridrank.cli.__main__ import main
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.collections.runs import write_run
from tests.evaluation.menu import QUERIES, write_menu


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the command within this process, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def judgments(*words):
        monkeypatch.setattr(sys, "argv", ["hybridrank", "judgments", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=printed.out, stderr=printed.err)

    return judgments


@pytest.fixture
def menu(tmp_path):
    """The collection, and the runs of two pipelines over it."""
    (tmp_path / "runs").mkdir()
    write_run(tmp_path / "runs/one.run", {"q1": ["tea", "chai", "soup"], "q2": ["soup", "tea"]}, "one")
    write_run(tmp_path / "runs/two.run", {"q1": ["chai", "note"], "q2": ["soup"], "q3": ["cake"]}, "two")
    return write_menu(tmp_path / "menu")


def judge(source, target, grades, name):
    """Fill a pool in: doc_id → grade."""
    lines = [json.loads(each) for each in source.read_text().splitlines()]
    filled = [json.dumps({**each, "grade": grades[each["doc_id"]], "judge": name}) for each in lines]
    target.write_text("\n".join(filled))


def test_from_runs_to_a_split(tmp_path, run, menu):
    done = run("pool", "--collection", menu, "--run", "runs", "--depth", 2, "--out", "pool.jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "pool.jsonl: 6 documents of 3 queries to judge\n"
    lines = [json.loads(each) for each in (tmp_path / "pool.jsonl").read_text().splitlines()]
    assert [each["query"] for each in lines] == [*[QUERIES["q1"]] * 3, *[QUERIES["q2"]] * 2, QUERIES["q3"]]
    assert {each["doc_id"] for each in lines[:3]} == {"tea", "chai", "note"}
    assert not any(name in (tmp_path / "pool.jsonl").read_text() for name in ("one", "two"))

    judge(tmp_path / "pool.jsonl", tmp_path / "a.jsonl", {"tea": 2, "chai": 3, "note": 0, "soup": 3, "cake": 1}, "ann")
    judge(tmp_path / "pool.jsonl", tmp_path / "b.jsonl", {"tea": 2, "chai": 2, "note": 0, "soup": 3, "cake": 1}, "m/3")
    agreed = run("agree", "a.jsonl", "b.jsonl")
    assert agreed.returncode == 0, agreed.stderr
    assert "ann / m/3" in agreed.stdout
    assert "83.3%" in agreed.stdout
    assert "ann: 3" in agreed.stdout
    assert "Krippendorff's alpha of 2 judges: 0." in agreed.stdout
    content = json.loads(run("agree", "a.jsonl", "b.jsonl", "--json").stdout)
    (pair,) = content["pairs"]
    assert (pair["first"], pair["second"], pair["documents"], pair["same"]) == ("ann", "m/3", 6, 5 / 6)
    assert pair["confusion"] == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 1, 1]]
    assert set(content["alpha"]) == {"ordinal", "nominal"}

    done = run("import", "a.jsonl", "b.jsonl", "--collection", menu, "--out", menu / "qrels/mine.tsv")
    assert done.returncode == 0, done.stderr
    assert (
        "6 judgments of 3 queries (1 with 0, 1 with 1, 3 with 2, 1 with 3), from 12 grades of 2 judges" in done.stdout
    )
    assert BeirFolder(menu).qrels("mine") == {
        "q1": {"chai": 2, "note": 0, "tea": 2},
        "q2": {"soup": 3, "tea": 2},
        "q3": {"cake": 1},
    }


def test_more_is_judged_later_and_added(tmp_path, run, menu):
    flags = [
        "--collection",
        menu,
        "--run",
        "runs/one.run",
        "--run",
        "runs/two.run",
        "--queries",
        2,
        "--without",
        "test",
    ]
    done = run("pool", *flags, "--judge", "ann", "--out", "more.jsonl")
    assert done.stdout == "more.jsonl: 3 documents of 2 queries to judge; 3 more judged in test\n", done.stderr
    judge(tmp_path / "more.jsonl", tmp_path / "a.jsonl", {"soup": 1, "note": 0, "tea": 2}, "")
    flags = ["--collection", menu, "--onto", "test", "--out", menu / "qrels/both.tsv"]
    done = run("import", "a.jsonl", *flags)
    assert done.returncode == 0, done.stderr
    assert BeirFolder(menu).qrels("both") == {
        "q1": {"chai": 2, "tea": 1, "note": 0, "soup": 1},
        "q2": {"soup": 1, "tea": 2},
    }
    (tmp_path / "b.jsonl").write_text('{"query_id": "q1", "doc_id": "chai", "grade": 1}')
    (menu / "qrels/both.tsv").unlink()
    again = run("import", "b.jsonl", *flags)
    assert again.returncode == 1
    assert "wrong: b.jsonl:1: 'chai' of query 'q1' is judged in test already" in again.stderr


def test_pipelines_are_run_where_there_are_no_runs(tmp_path, run, menu, sidecar_address):
    flags = ["--collection", menu, "--pipelines", "bm25,knn", "--depth", 2, "--out", "pool.jsonl"]
    done = run("pool", *flags, "--sidecar", sidecar_address)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(each) for each in (tmp_path / "pool.jsonl").read_text().splitlines()]
    assert {each["query_id"] for each in lines} == set(QUERIES)
    assert "chai" in {each["doc_id"] for each in lines if each["query_id"] == "q1"}


def test_wrong_or_empty_input_is_named_and_nothing_is_written(tmp_path, run, menu):
    rows = [
        {"query_id": "q1", "doc_id": doc_id, "grade": grade}
        for doc_id, grade in (("tea", 1), ("chai", None), ("pie", 1))
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    flags = ["import", "a.jsonl", "--collection", menu, "--out", "mine.tsv"]
    done = run(*flags)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "wrong: a.jsonl:3: the collection has no doc_id 'pie'",
        "wrong: a.jsonl:2: no grade for 'chai' of query 'q1'",
        "error: nothing was written: 2 wrong lines; --partial leaves lines without a grade out",
    ]
    assert not (tmp_path / "mine.tsv").exists()
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows[:2])))
    done = run(*flags, "--partial")
    assert done.returncode == 0
    assert done.stderr == "left out: a.jsonl:2: no grade for 'chai' of query 'q1'\n"
    assert (tmp_path / "mine.tsv").read_text() == "query-id\tcorpus-id\tscore\nq1\ttea\t1\n"
    assert run(*flags, "--partial").returncode == 2  # it is there already


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["pool", "--collection", "menu", "--out", "p.jsonl"], 2, "name runs, or --pipelines"),
        (["pool", "--collection", "menu", "--run", "menu", "--out", "p.jsonl"], 2, "there is no .run file in menu"),
        (["pool", "--collection", "menu", "--run", "runs/three.run", "--out", "p.jsonl"], 1, "no document 'pie'"),
        (["pool", "--collection", "menu", "--pipelines", "tea", "--out", "p.jsonl"], 2, "there is no pipeline 'tea'"),
        (["pool", "--collection", "menu", "--run", "runs", "--out", "a.jsonl"], 2, "its grades would be lost"),
        (["agree", "a.jsonl"], 1, "no document was judged by two judges; there are 1: a"),
        (["agree", "a.jsonl", "--scale", "0-1"], 1, "wrong: a.jsonl:1: the grade 2 is not a whole number from 0 to 1"),
        (["agree", "a.jsonl", "--scale", "few"], 2, "'few' is no scale"),
        (["import", "a.jsonl", "--collection", "menu", "--out", "no/m.tsv"], 2, "there is no folder no"),
    ],
)
def test_wrong_usage_says_what_to_do(tmp_path, run, menu, words, code, said):
    write_run(tmp_path / "runs/three.run", {"q1": ["pie"]}, "three")
    (tmp_path / "a.jsonl").write_text('{"query_id": "q1", "doc_id": "tea", "grade": 2}')
    done = run(*words)
    assert done.returncode == code
    assert said in " ".join(done.stderr.replace("│", " ").split())
