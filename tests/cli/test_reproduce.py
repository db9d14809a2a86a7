"""`hybridrank reproduce` as a user runs it: a folder of experiments, a real sidecar, an index made on the way."""

import json
import os
import subprocess
import sys

import pytest

from hybridrank.evaluation.reproduce.experiment_files import Experiment
from tests.evaluation.menu import write_menu
from tests.evaluation.pyserini_stand_in import write_stand_in

FILE = """\
collection: menu
training: zero-shot
pipelines:
  bm25: ~  # whatever
  knn: ~
  rrf: ~
  rrf+colbert: ~
"""


@pytest.fixture
def run(tmp_path, sidecar_address):
    """Runs `hybridrank reproduce` on `collections` and `experiments`, with its caches in a folder of the test."""
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HYBRIDRANK_SIDECAR": sidecar_address,
        "HYBRIDRANK_COLLECTIONS": str(tmp_path / "collections"),
    }

    def reproduce(*flags, **changed):
        command = [sys.executable, "-m", "hybridrank", "reproduce", "--experiments", "experiments", *map(str, flags)]
        return subprocess.run(
            command, capture_output=True, text=True, env={**environment, **changed}, cwd=tmp_path, check=False
        )

    write_menu(tmp_path / "collections/menu")
    (tmp_path / "experiments").mkdir()
    return reproduce


def write(folder, name="menu", text=FILE):
    (folder / f"experiments/{name}.yaml").write_text(text)


def test_scores_are_recorded_then_checked_without_a_new_search(tmp_path, run):
    write(tmp_path)
    first = run("--update")
    assert first.returncode == 0, first.stderr
    assert "FAIL: nothing is expected yet" in first.stdout
    assert "updated menu.yaml: bm25 - → " in first.stdout
    assert first.stdout.endswith("4 OK, 0 FAIL\n")
    assert "bm25: 2 queries" in first.stderr  # the third has no judgment
    written = (tmp_path / "experiments/menu.yaml").read_text()
    expected = Experiment.load(tmp_path / "experiments/menu.yaml").pipelines
    assert all(0.5 < value <= 1 for value in expected.values())
    assert f"  bm25: {expected['bm25']:.4f}  # whatever\n" in written

    second = run("--json", "found.json", "--page", "page.md")
    assert second.returncode == 0, second.stderr
    lines = [line.split() for line in second.stdout.splitlines()]
    assert lines[0] == ["menu", "bm25", "expected", (score := f"{expected['bm25']:.4f}"), "got", score, "OK"]
    assert lines[-1] == ["4", "OK,", "0", "FAIL"]
    assert "indexing" not in second.stderr
    assert "queries:" not in second.stderr
    assert second.stderr.count("kept from a run before") == 4
    (found,) = json.loads((tmp_path / "found.json").read_text())
    assert found["ok"]
    assert {name: round(each["ndcg@10"], 4) for name, each in found["pipelines"].items()} == dict(expected)
    assert found["pipelines"]["rrf+colbert"]["vs_rrf"]["p_holm"] <= 1
    assert "**4 of 4 scores are as expected**" in (tmp_path / "page.md").read_text()

    wrong = round(expected["knn"] - 0.0051, 4)
    write(tmp_path, text=written.replace(f"knn: {expected['knn']:.4f}", f"knn: {wrong:.4f}"))
    third = run("--fresh")
    assert third.returncode == 1
    assert f"expected {wrong:.4f}  got {expected['knn']:.4f}  FAIL" in third.stdout
    assert third.stdout.endswith("3 OK, 1 FAIL\n")
    assert "bm25: 2 queries" in third.stderr


def test_queries_that_somebody_chose_by_are_left_out(tmp_path, run):
    (tmp_path / "collections/menu/qrels/dev.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tchai\t2\n")
    write(tmp_path, text=FILE.replace("training:", "without: dev\ntraining:"))
    done = run("--update", "--page", "page.md")
    assert "bm25: 1 query" in done.stderr
    assert "menu, `test without dev`: " in (page := (tmp_path / "page.md").read_text())
    assert "**zero-shot**: menu; 1 query." in page


def test_an_interrupted_run_goes_on_where_it_was(tmp_path, run):
    """A pipeline more is what a run that was killed before its last pipeline leaves to do."""
    write(tmp_path, text=FILE.replace("  rrf+colbert: ~\n", ""))
    assert run().returncode == 1
    write(tmp_path)
    done = run()
    assert [line.split(":")[0] for line in done.stderr.splitlines() if "kept from" in line] == ["bm25", "knn", "rrf"]
    assert "rrf+colbert: 2 queries" in done.stderr
    (tmp_path / "collections/menu/queries.jsonl").write_text('{"_id": "q1", "text": "vegetables in water"}')
    assert "kept from" not in run().stderr


def test_a_missing_collection_fails_and_the_others_run(tmp_path, run):
    write(tmp_path, text=FILE.replace("  knn: ~\n", "").replace("  rrf+colbert: ~\n", ""))
    assert run("--update").returncode == 0
    write(tmp_path, "cake", FILE.replace("collection: menu", "collection: cake"))
    write(tmp_path, "soup", FILE.replace("training:", "split: dev\ntraining:"))
    everything = run("--page", "page.md")
    assert everything.returncode == 1
    assert "there is no such folder" in everything.stdout
    assert "there are: test" in everything.stdout
    assert everything.stdout.endswith("2 OK, 0 FAIL; 2 experiments did not run\n")
    assert "not run: cake, soup." in (tmp_path / "page.md").read_text()
    asked_for = run("menu")
    assert asked_for.returncode == 0
    assert asked_for.stdout.endswith("2 OK, 0 FAIL\n")


def test_pyserini_stands_beside_ours_and_is_not_run_twice(tmp_path, run):
    write(tmp_path, text=FILE.replace("  knn: ~\n", "").replace("  rrf+colbert: ~\n", ""))
    python = write_stand_in(tmp_path / "stand-in")
    flags = ["--update", "--pyserini", "--pyserini-python", python]
    jdk = tmp_path / "jdk"  # what the stand-in does not need is only looked for
    (jdk / "bin").mkdir(parents=True)
    (jdk / "bin/java").touch()
    (jdk / "release").write_text('JAVA_VERSION="21.0.2"')
    first = run(*flags, "--page", "page.md", JAVA_HOME=str(jdk))
    assert first.returncode == 0, first.stderr
    assert "indexing with Pyserini" in first.stderr
    assert "Lucene BM25+RM3, k1 0.9, b 0.4" in first.stdout
    assert "title and text in one field, Pyserini 0.0.1:" in (tmp_path / "page.md").read_text()
    second = run(*flags, JAVA_HOME=str(jdk))
    assert "Pyserini" not in second.stderr
    assert [line for line in second.stdout.splitlines() if "Lucene" in line] == [
        line for line in first.stdout.splitlines() if "Lucene" in line
    ]


@pytest.mark.parametrize(
    ("change", "flags", "code", "said"),
    [
        (("bm25: ~", "bm25: high"), [], 1, "menu.yaml: pipelines.bm25: Input should be a valid number"),
        (("rrf+colbert", "rrf+nothing"), [], 1, "pipeline rrf+nothing: the sidecar has no model 'nothing'; it has"),
        (("", ""), ["cake"], 1, "there is no experiment 'cake'; there are: menu"),
        (("", ""), ["--pyserini"], 1, "pip install 'hybridrank[pyserini]'"),
        (("", ""), ["--page", "nowhere/page.md"], 2, "there is no folder nowhere"),
    ],
)
def test_errors_are_one_sentence(tmp_path, run, change, flags, code, said):
    write(tmp_path, text=FILE.replace(*change))
    done = run(*flags)
    assert done.returncode == code
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_the_folder_of_collections_has_to_be_named(tmp_path, run):
    write(tmp_path)
    done = run(HYBRIDRANK_COLLECTIONS="")
    assert done.returncode == 2
    assert "name the folder of collections" in done.stderr
