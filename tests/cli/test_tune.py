"""`hybridrank tune` as a user runs it, and the commands that take what it writes."""

import json
import random
import sys
from types import SimpleNamespace

import pytest

from hybridrank.cli.__main__ import main
from hybridrank.evaluation.experiments.configuration import Configuration
from hybridrank.model_files import model_folder
from hybridrank.models import SHIPPED_MODELS
from tests.evaluation.menu import write_menu

LETTERS = "BCDF"
PROSE = "A pump moves water from a well or a tank. It wants oil once a year, and its seals want looking after."


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, sidecar_address):
    """Runs a command within this process, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HYBRIDRANK_SIDECAR", sidecar_address)

    def hybridrank(*words):
        monkeypatch.setattr(sys, "argv", ["hybridrank", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=printed.out, stderr=printed.err)

    return hybridrank


@pytest.fixture
def parts(tmp_path):
    """Spare parts that differ in a number which no model has read before: words find them, vectors do not."""
    draw = random.Random(3)
    numbers = ["".join(draw.choices(LETTERS, k=9)) for _ in range(60)]
    folder = tmp_path / "parts"
    (folder / "qrels").mkdir(parents=True)
    documents = [
        {"_id": f"p{n}", "title": "Spare part", "text": f"{PROSE} Part {each} fits it."}
        for n, each in enumerate(numbers)
    ]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    queries = [{"_id": f"q{n}", "text": f"pump part {each}"} for n, each in enumerate(numbers)]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    for split, places in (("dev", range(14)), ("test", range(14, 20)), ("both", range(10, 20))):
        rows = [f"q{n}\tp{n}\t1" for n in places]
        (folder / f"qrels/{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]))
    return folder


def test_the_default_is_tried_at_the_weight_of_its_folder(tmp_path, run, parts):
    flags = ["--collection", parts, "--default", "bm25+nano", "--models", "none", "--trials", 1]
    done = run("tune", *flags, "--out", "parts.yaml", "--json", "parts.json")
    assert done.returncode == 0, done.stderr
    first, *_ = json.loads((tmp_path / "parts.json").read_text())["attempts"]
    assert (
        first["configuration"]["rescore"]["weight"]
        == model_folder.read(SHIPPED_MODELS / "cross-encoder-nano").info.blend_weight
    )


def test_a_better_choice_is_found_written_and_measured_on_test(tmp_path, run, parts):
    flags = ["--collection", parts, "--default", "knn", "--models", "none"]
    done = run("tune", *flags, "--trials", 12, "--out", "parts.yaml", "--json", "parts.json", "--study", "s.sqlite3")
    assert done.returncode == 0, done.stderr
    assert "k1 and b are fixed in the embedded engine" in done.stderr
    assert "Better than the default: by 5 folds of 14 queries" in done.stdout
    assert "SearchRequest(\n    index=index,\n    query_text=text,\n" in done.stdout
    assert "importance" in done.stdout
    result = json.loads((tmp_path / "parts.json").read_text())
    assert result["found"]
    assert result["evidence"]["p"] < 0.05
    assert len(result["attempts"]) == 13
    assert result["tuned_for"]["judgments"]["split"] == "dev"
    winner = Configuration.load(tmp_path / "parts.yaml")
    assert winner.as_json() == result["winner"]["configuration"]
    assert "bm25" in winner.retrievers
    test = result["test"]
    assert (test["collection"]["split"], test["collection"]["queries"], test["baseline"]) == ("test", 6, "knn")
    assert test["pipelines"]["tuned"]["ndcg@10"] > test["pipelines"]["knn"]["ndcg@10"]

    again = run(
        "evaluate", *flags[:2], "--pipelines", "knn", "--baseline", "knn", "--config", "parts.yaml", "--json", "e"
    )
    assert again.returncode == 0, again.stderr
    measured = json.loads((tmp_path / "e").read_text())["pipelines"]
    assert measured["parts"]["per_query"] == test["pipelines"]["tuned"]["per_query"]
    on_dev = run(
        "evaluate",
        *flags[:2],
        "--pipelines",
        "knn",
        "--baseline",
        "knn",
        "--split",
        "dev",
        "--json",
        "d",
        "--config",
        "parts.yaml",
    )
    assert on_dev.returncode == 0, on_dev.stderr
    dev = json.loads((tmp_path / "d").read_text())["pipelines"]
    assert {each: values["ndcg@10"] for each, values in dev["parts"]["per_query"].items()} == result["best"][
        "per_query"
    ]
    assert {each: values["ndcg@10"] for each, values in dev["knn"]["per_query"].items()} == result["default"][
        "per_query"
    ]

    (index,) = (tmp_path / "cache/hybridrank/indices").iterdir()
    number = json.loads((parts / "queries.jsonl").read_text().splitlines()[3])["text"]
    found = run("search", number, "--index", index.name, "--config", "parts.yaml", "--json")
    assert json.loads(found.stdout)["hits"][0]["doc_id"] == "p3", found.stderr

    more = run("tune", *flags, "--trials", 13, "--out", "parts.yaml", "--json", "parts.json", "--study", "s.sqlite3")
    assert more.returncode == 0, more.stderr
    assert json.loads((tmp_path / "parts.json").read_text())["attempts"][:13] == result["attempts"]
    other = run("tune", *flags, "--measure", "mrr", "--study", "s.sqlite3")
    assert other.returncode == 1
    assert "s.sqlite3: was made with another measure" in other.stderr


def test_the_default_is_written_if_nothing_is_better(tmp_path, run, parts):
    flags = ["--collection", parts, "--dev-queries", 4, "--trials", 3, "--models", "cross-encoder", "--fields", "text"]
    done = run("tune", *flags, "--default", "bm25", "--out", "parts.yaml", "--json", "-")
    assert done.returncode == 0, done.stderr
    assert "Nothing found that is better than the defaults" in done.stderr
    assert Configuration.load(tmp_path / "parts.yaml") == Configuration(retrievers=("bm25",))
    assert "# Nothing found" in (tmp_path / "parts.yaml").read_text()
    assert list(json.loads(done.stdout)["test"]["pipelines"]) == ["bm25"]


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--dev-split", "test"], 2, "is the split that is tuned on"),
        (["--test-split", "both"], 1, "dev shares 4 queries with both, 'q10' for one"),
        (["--test-split", "no"], 1, "there are: both, dev, test"),
        (["--measure", "bpref"], 2, "there is no measure 'bpref'"),
        (["--measure", "p@101"], 2, "a search returns 100 documents"),
        (["--default", "rrf+colbert+cross-encoder"], 2, "has several models"),
        (["--default", "tea"], 2, "there is no pipeline 'tea'"),
        (["--models", "nothing"], 2, "the sidecar has no model 'nothing'"),
        (["--out", "nowhere/x.yaml"], 2, "there is no folder nowhere"),
        (["--fields", "titel,text", "--models", "none", "--trials", 9], 1, "titel"),
    ],
)
def test_wrong_usage_says_what_to_do(run, parts, flags, code, said):
    done = run("tune", "--collection", parts, *flags)
    assert done.returncode == code
    assert said in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--config", "menu.yaml", "--config", "menu.yaml"], 2, "'menu' would be two pipelines"),
        (["--config", "index.yaml", "--queries", 1], 0, "counts by `hybridrank index bm25 INDEX --k1 0.9 --b 0.75`"),
        (["--config", "bad.yaml"], 1, "bad.yaml: window: Extra inputs are not permitted"),
        (["--config", "none.yaml"], 1, "none.yaml"),
    ],
)
def test_an_unusable_configuration_is_refused_with_the_reason(tmp_path, run, flags, code, said):
    (tmp_path / "menu.yaml").write_text("rank_window_size: 50")
    (tmp_path / "index.yaml").write_text("bm25: {k1: 0.9}")
    (tmp_path / "bad.yaml").write_text("window: 50")
    done = run("evaluate", "--collection", write_menu(tmp_path / "menu"), "--pipelines", "bm25", *flags)
    assert done.returncode == code
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_the_embedded_engine_has_numbers_that_are_fixed(tmp_path, run):
    done = run("index", "bm25", "parts", "--engine", f"embedded:{tmp_path}")
    assert done.returncode == 2
    assert "k1 and b are fixed; name a cluster" in " ".join(done.stderr.replace("│", " ").split())
