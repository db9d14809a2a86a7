"""`hybridrank evaluate` as a user runs it: a folder, a real sidecar, an embedded index made on the way."""

import json
import os
import subprocess
import sys

import pytest

from hybridrank.evaluation.collections.runs import read_run
from hybridrank.ltr_features import FeatureSet
from hybridrank.sidecar.app.settings import SHIPPED_MODELS
from hybridrank.sidecar.child import sidecar_process
from tests.evaluation.menu import QRELS, write_menu
from tests.golden.colbert import FOLDER as CHECKPOINTS
from tests.sidecar.forests import feature_set, write_forest


@pytest.fixture
def run(tmp_path, sidecar_address):
    """Runs `hybridrank evaluate` with its caches in a folder of the test."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "HYBRIDRANK_SIDECAR": sidecar_address}

    def evaluate(*flags):
        command = [sys.executable, "-m", "hybridrank", "evaluate", *map(str, flags)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)

    return evaluate


def test_json_runs_and_table_hold_every_measurement(tmp_path, run):
    menu = write_menu(tmp_path / "menu")
    done = run("--collection", menu, "--split", "test", "--json", "menu.json", "--run-dir", "runs")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "menu.json").read_text())
    assert list(result["pipelines"]) == ["bm25", "knn", "rrf", "rrf+colbert", "rrf+cross-encoder", "rrf+nano"]
    for name, measured in result["pipelines"].items():
        assert {"ndcg@10", "rr@10", "r@100", "judged@10", "ms_p50", "ms_p95", "degraded", "per_query"} <= set(measured)
        assert set(measured["per_query"]) == set(QRELS)
        assert measured["ndcg@10"] > 0.5
        assert measured["degraded"] == 0
        assert set(read_run(tmp_path / "runs" / f"{name}.run")) == set(QRELS)
        assert name in done.stdout
    assert result["collection"] | {"digest": ""} == {
        "name": "menu",
        "digest": "",
        "split": "test",
        "documents": 5,
        "queries": 2,
        "judgments": 3,
        "bad_lines": 0,
    }
    assert {each["kind"] for each in result["models"]} == {"encoder", "cross-encoder"}
    assert all(len(each["digest"]) == 64 for each in result["models"])
    assert result["engine"]["name"] == "embedded"


def test_other_measures(tmp_path, run):
    menu = write_menu(tmp_path / "menu")
    flags = ["--pipelines", "bm25,rrf", "--measures", "MAP, p@2,recall@2,err@20,ap", "--json", "menu.json"]
    done = run("--collection", menu, *flags, "--markdown", "--per-query", "--html", "menu.html", "--svg", "menu.svg")
    assert done.returncode == 0, done.stderr
    page, picture = ((tmp_path / name).read_text() for name in ("menu.html", "menu.svg"))
    assert "MAP against latency" in picture
    assert picture in page
    assert "2 pipelines on menu" in page
    assert "collection digest" in page
    assert "embedded" in page
    assert "\nrrf against bm25 by MAP: " in done.stdout
    assert " ".join(done.stdout.split()).startswith("| pipeline | MAP | P@2 | R@2 | ERR@20 | p50 ms |")
    result = json.loads((tmp_path / "menu.json").read_text())
    assert result["compared_by"] == "ap"
    assert set(result["pipelines"]["rrf"]["per_query"]["q1"]) == {"ap", "p@2", "r@2", "err@20"}


def test_a_second_run_finds_its_index_and_gives_the_same_numbers(tmp_path, run):
    menu = write_menu(tmp_path / "menu")
    for name in ("one.json", "two.json"):
        assert run("--collection", menu, "--pipelines", "bm25,rrf", "--json", name).returncode == 0
    one, two = (json.loads((tmp_path / name).read_text())["pipelines"] for name in ("one.json", "two.json"))
    assert {name: each["per_query"] for name, each in one.items()} == {n: each["per_query"] for n, each in two.items()}
    assert len(list((tmp_path / "cache/hybridrank/indices").iterdir())) == 1


def test_the_fusion_option_reaches_every_search_and_the_result(tmp_path, run):
    """The embedded engine fuses nothing, which counts as degraded."""
    flags = ["--pipelines", "bm25,rrf", "--fusion", "native", "--no-strict", "--json", "native.json"]
    assert run("--collection", write_menu(tmp_path / "menu"), *flags).returncode == 0
    result = json.loads((tmp_path / "native.json").read_text())
    assert result["settings"]["fusion"] == "native"
    assert [each["degraded"] for each in result["pipelines"].values()] == [0, len(QRELS)]


def test_a_cascade_of_a_forest_and_a_cross_encoder(tmp_path, run):
    """The feature set is found by the digest that the model tells, whatever the file is called."""
    menu = write_menu(tmp_path / "menu")
    features = FeatureSet.model_validate(
        {
            "name": "menu",
            "features": [
                {"name": "title", "kind": "bm25", "fields": ["title"]},
                {"name": "cosine", "kind": "vector_similarity", "field": "vector"},
                *({"name": f"rank{n}", "kind": "fused", "value_of": "rank"} for n in range(4)),
            ],
        }
    )
    write_forest(tmp_path / "forest", features=features, name="lambdamart")
    features.dump(tmp_path / "menu.json")
    feature_set().dump(tmp_path / "other.json")
    with sidecar_process(settings={"models": f"{SHIPPED_MODELS}:{tmp_path / 'forest'}"}) as sidecar:
        flags = ["--collection", menu, "--sidecar", sidecar.address, "--baseline", "rrf"]
        flags += ["--pipelines", "rrf,rrf+lambdamart,rrf+lambdamart+cross-encoder", "--json", "menu.json.out"]
        done = run(*flags, "--features", "other.json", "--features", "menu.json")
        assert done.returncode == 0, done.stderr
        refused = run(*flags, "--features", "other.json")
    result = json.loads((tmp_path / "menu.json.out").read_text())
    assert [each["degraded"] for each in result["pipelines"].values()] == [0, 0, 0]
    assert result["settings"]["feature_sets"]["lambdamart"]["digest"] == features.digest
    assert refused.returncode == 2
    said = " ".join(refused.stderr.replace("│", " ").split())
    assert "'lambdamart' ranks by feature set menu:1" in said
    assert "--features" in said


def test_stored_token_vectors_get_an_index_of_their_own(tmp_path, run):
    menu = write_menu(tmp_path / "menu")
    flags = ("--collection", menu, "--pipelines", "rrf,rrf+colbert", "--baseline", "rrf")
    assert run(*flags, "--json", "texts.json").returncode == 0
    done = run(*flags, "--json", "stored.json", "--token-vectors", "fp32")
    assert done.returncode == 0, done.stderr
    texts, stored = (json.loads((tmp_path / name).read_text()) for name in ("texts.json", "stored.json"))
    assert (texts["settings"]["token_vectors"], stored["settings"]["token_vectors"]) == (None, ["colbert"])
    measured = stored["pipelines"]["rrf+colbert"]
    assert measured["degraded"] == 0
    assert measured["per_query"] == texts["pipelines"]["rrf+colbert"]["per_query"]
    assert len(list((tmp_path / "cache/hybridrank/indices").iterdir())) == 2


def test_an_index_holds_the_token_vectors_of_one_model(tmp_path, run):
    """Two names of one model are fine, two models are not."""
    flags = ["--collection", write_menu(tmp_path / "menu"), "--token-vectors", "int8", "--json", "menu.json"]
    with sidecar_process(settings={"models": f"{SHIPPED_MODELS}:{CHECKPOINTS / 'tiny-pylate'}"}) as sidecar:
        flags += ["--sidecar", sidecar.address, "--baseline", "rrf+colbert", "--pipelines"]
        two_names = run(*flags, "rrf+colbert,rrf+encoder-minilm-l6")
        two_models = run(*flags, "rrf+colbert,rrf+tiny-pylate")
    assert two_names.returncode == 0, two_names.stderr
    result = json.loads((tmp_path / "menu.json").read_text())
    assert [each["degraded"] for each in result["pipelines"].values()] == [0, 0]
    assert two_models.returncode == 2
    said = " ".join(two_models.stderr.replace("│", " ").split())
    assert "an index holds token vectors of one model, not of colbert and tiny-pylate" in said


def test_bad_lines_are_named_and_the_rest_is_measured(tmp_path, run):
    menu = write_menu(tmp_path / "menu")
    with (menu / "corpus.jsonl").open("a") as corpus:
        corpus.write("\nnot json\n")
    done = run("--collection", menu, "--pipelines", "bm25", "--markdown", "--queries", 1)
    assert done.returncode == 0, done.stderr
    assert f"bad line: {menu / 'corpus.jsonl'}:6: not JSON" in done.stderr
    assert done.stdout.startswith("| pipeline | nDCG@10 |")
    assert "1 query." in done.stdout


def test_documents_of_another_collection_are_reported(tmp_path, run):
    menu = write_menu(tmp_path / "menu")
    other = write_menu(tmp_path / "other")
    (other / "corpus.jsonl").write_text('{"_id": "stray", "text": "A stray document about tea."}')
    assert run("--collection", other, "--index", "both", "--pipelines", "bm25").returncode == 0
    done = run("--collection", menu, "--index", "both", "--pipelines", "bm25")
    assert "index both holds documents that are not in the collection and compete with it: 1" in done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--pipelines", "bm26"], "there is no pipeline 'bm26'"),
        (["--pipelines", "bm25,knn", "--baseline", "rrf"], "'rrf' is not one of the pipelines bm25, knn"),
        (["--pipelines", "bm25,rrf+nothing"], "no model 'nothing'"),
        (["--measures", "ndcg@10,bpref"], "there is no measure 'bpref'"),
        (["--measures", "recall@1000"], "r@1000: a pipeline returns 100 documents"),
        (["--html", "nowhere/x.html"], "there is no folder nowhere"),
        (["--json", "nowhere/x.json"], "there is no folder nowhere"),
        (["--weight", "2"], "--weight"),
        (["--features", "nowhere.yaml"], "--features"),
        (["--pipelines", "bm25,rrf+cross-encoder", "--token-vectors", "int8"], "cross-encoder scores no token vectors"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_was_wrong(tmp_path, run, flags, said):
    done = run("--collection", write_menu(tmp_path / "menu"), *flags)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--collection", "nowhere"], "there is no such folder"),
        (["--collection", "menu", "--split", "dev"], "there are: high, test"),
        (["--collection", "menu", "--measures", "err@5", "--split", "high"], "query q1: ERR knows grades up to 4"),
        (["--collection", "menu", "--engine", "http://127.0.0.1:9"], "127.0.0.1:9"),
    ],
)
def test_unreadable_or_unreachable_input_exits_1_with_a_sentence(tmp_path, run, flags, said):
    menu = write_menu(tmp_path / "menu")
    (menu / "qrels/high.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tsoup\t9")
    done = run(*flags)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def write_collection(folder, documents, qrels):
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text("".join(json.dumps(each) + "\n" for each in documents))
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "hot tea"}\n{"_id": "q2", "text": "sweet cake"}\n')
    (folder / "qrels/test.tsv").write_text(qrels)
    return folder


def test_an_id_that_no_run_holds_loses_no_result(tmp_path, run):
    documents = [{"_id": "report 1992", "text": "hot tea"}, {"_id": "c", "text": "sweet cake"}]
    folder = write_collection(tmp_path / "spaces", documents, "q1\treport 1992\t1\nq2\tc\t1\n")
    done = run("--collection", folder, "--pipelines", "bm25", "--run-dir", "runs", "--json", "out.json")
    assert done.returncode == 1
    assert "error: runs/bm25.run: 'report 1992' cannot stand in a TREC run" in done.stderr
    assert "Traceback" not in done.stderr
    assert "bm25" in done.stdout
    assert json.loads((tmp_path / "out.json").read_text())["pipelines"]["bm25"]["ndcg@10"] == 1.0


def test_judgments_of_what_is_absent_are_counted_and_said(tmp_path, run):
    documents = [{"_id": "a", "text": "hot tea"}, {"_id": "c", "text": "sweet cake"}]
    folder = write_collection(tmp_path / "dangling", documents, "\ufeffq1\tgone\t1\nq2\tc\t1\nq9\ta\t-1\n")
    done = run("--collection", folder, "--pipelines", "bm25", "--json", "out.json")
    assert done.returncode == 0, done.stderr
    assert "note: test judges 1 query that queries.jsonl lacks (q9)" in done.stderr
    assert "note: 1 of 3 judgments in test is of documents that corpus.jsonl lacks (gone)" in done.stderr
    result = json.loads((tmp_path / "out.json").read_text())["pipelines"]["bm25"]
    assert set(result["per_query"]) == {"q1", "q2"}
    assert result["ndcg@10"] == 0.5


def test_an_index_that_evaluate_made_is_deleted_on_request(tmp_path, run):
    menu, indices = write_menu(tmp_path / "menu"), tmp_path / "cache" / "hybridrank" / "indices"
    done = run("--collection", menu, "--pipelines", "bm25", "--delete-index")
    assert done.returncode == 0, done.stderr
    assert "deleted index menu-" in done.stderr
    assert list(indices.iterdir()) == []
    run("--collection", menu, "--pipelines", "bm25")
    (kept,) = indices.iterdir()
    again = run("--collection", menu, "--pipelines", "bm25", "--delete-index")
    assert "deleted" not in again.stderr
    assert kept.exists()


def test_an_index_of_before_is_kept_and_a_dash_is_stdout(tmp_path, run):
    menu = write_menu(tmp_path / "menu")
    run("--collection", menu, "--pipelines", "bm25", "--index", "mine")
    done = run("--collection", menu, "--pipelines", "bm25", "--index", "mine", "--delete-index", "--json", "-")
    assert "note: index mine was there before; kept" in done.stderr
    assert list(json.loads(done.stdout)["pipelines"]) == ["bm25"]
    assert "nDCG@10" in done.stderr
    assert not (tmp_path / "-").exists()
