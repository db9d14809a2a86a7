"""The command line as a person or a script meets it: real processes, output, exit codes."""

import json
import os
import subprocess
import sys

import pytest

from tests.connector.fake_engine import NODES, Reply, fake_engine

DOCUMENTS = [
    {"_id": "tea", "title": "Green tea", "text": "Leaves in hot water.", "kind": "drink", "price": 3},
    {"_id": "chai", "title": "Chai", "text": "Tea with milk and spices.", "kind": "drink", "price": 5},
    {"_id": "soup", "title": "Soup [of the day]", "text": "Vegetables in hot water.", "kind": "food", "price": 7},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("menu")
    lines = [json.dumps(each) for each in DOCUMENTS]
    lines[1:1] = ["not json", json.dumps({"title": "no id"})]
    (folder / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(folder, sidecar_address):
    """Run the command line with a cache of its own, against the sidecar of this test session."""
    environment = os.environ | {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "HYBRIDRANK_ENGINE": f"embedded:{folder / 'indices'}",
        "HYBRIDRANK_SIDECAR": sidecar_address,
        "COLUMNS": "140",
    }

    def run(*arguments: str, expect: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hybridrank", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment | variables, check=False)
        assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture(scope="module")
def indexed(run, folder):
    return run("index", "--collection", str(folder), "--index", "menu")


def test_index_reports_bad_lines_by_number_and_goes_on(indexed):
    assert "3 documents written (3 encoded)" in indexed.stdout
    assert "2 bad lines" in indexed.stdout
    assert "corpus.jsonl:2: not JSON" in indexed.stderr
    assert "corpus.jsonl:3: expected a string as _id" in indexed.stderr


@pytest.mark.parametrize("corpus", ["not json\n", '{"_id": "a", "price": NaN, "text": "tea"}\n', ""])
def test_an_index_run_that_wrote_nothing_fails(run, tmp_path, corpus):
    (tmp_path / "corpus.jsonl").write_text(corpus)
    done = run("index", "--collection", str(tmp_path), "--index", "nothing", expect=1)
    assert "0 documents written" in done.stdout
    assert "error: nothing was written" in done.stderr
    assert done.stderr.count("bad line: ") == corpus.count("\n")


def test_index_again_writes_nothing(indexed, run, folder):
    report = json.loads(run("index", "--collection", str(folder), "--index", "menu", "--json").stdout)
    assert (report["indexed"], report["unchanged"], report["total_in_index"]) == (0, 3, 3)
    assert len(report["bad_lines"]) == 2


def test_a_dry_run_changes_nothing(run, folder):
    planned = run("index", "--collection", str(folder), "--index", "unborn", "--dry-run")
    assert "unborn" in planned.stdout
    assert "no index 'unborn'" in run("search", "tea", "--index", "unborn", expect=1).stderr


def test_an_index_for_german_with_beginnings(run, tmp_path):
    line = json.dumps({"_id": "b", "title": "Die Bücher", "text": "", "attributes": {"colour": "red"}})
    (tmp_path / "corpus.jsonl").write_text(line + "\n")
    options = ("--language", "de", "--subfield", "prefix", "--boost", "title=2", "--boost", "title.prefix=0.5")
    made = run("index", "--collection", str(tmp_path), "--index", "books", *options)
    assert (made.stderr.count("note"), "1 document written" in made.stdout) == (0, True)
    assert "warning: the index's texts are german, and encoder-minilm-l6 was trained on en alone" in made.stderr
    assert "warning" in run("index", "--collection", str(tmp_path), "--index", "books", *options, "--dry-run").stderr
    for query in ("Buch", "Büc"):
        found = run("search", query, "--index", "books", "--filter", "attributes.colour=red", "--json")
        (hit,) = json.loads(found.stdout)["hits"]
        assert "bm25" in hit["retrievers"]
    refused = run("index", "--collection", str(tmp_path), "--index", "books", expect=1)
    assert "was made for german" in refused.stderr


def test_search_shows_titles(indexed, run):
    shown = run("search", "hot vegetables", "--index", "menu").stdout
    assert "Soup [of the day]" in shown
    assert shown.index("Soup") < shown.index("Chai")


def test_explain_shows_every_stage(indexed, run):
    shown = run("search", "green tea", "--index", "menu", "--explain").stdout
    assert all(stage in shown for stage in ("bm25", "knn", "fused", "rerank", "score", "final"))


def test_search_as_json_is_the_whole_response(indexed, run):
    response = json.loads(run("search", "green tea", "--index", "menu", "--json", "--size", "2").stdout)
    assert [hit["rank"] for hit in response["hits"]] == [1, 2]
    assert response["hits"][0]["doc_id"] == "tea"
    assert response["hits"][0]["rerank_score"] is not None
    finals = [hit["final_score"] for hit in response["hits"]]
    assert finals == sorted(finals, reverse=True)
    assert response["degraded"] == []
    assert response["total_candidates"] == 3
    assert response["total"] == {"value": 2, "relation": "eq"}


def test_search_shows_how_many_documents_match(indexed, run):
    assert "2 BM25 matches · 3 candidates" in run("search", "green tea", "--index", "menu").stdout


def test_rerankers_work_in_turn(indexed, run):
    found = run("search", "green tea", "--index", "menu", "--json", "--rerank", "colbert+cross-encoder")
    response = json.loads(found.stdout)
    assert response["degraded"] == []
    assert {name for hit in response["hits"] for name in hit["rerank_scores"]} == {"colbert", "cross-encoder"}
    refused = run("search", "green tea", "--index", "menu", "--rerank", "colbert+", expect=2)
    assert "--rerank" in refused.stderr


def test_filters_and_pages(indexed, run):
    def found(*options: str) -> list[str]:
        response = json.loads(run("search", "tea", "--index", "menu", "--json", *options).stdout)
        return [hit["doc_id"] for hit in response["hits"]]

    assert set(found("--filter", "kind=drink")) == {"tea", "chai"}
    assert found("--filter", "kind=drink", "--filter", "price>=4") == ["chai"]
    assert set(found("--filter", "kind!=food")) == {"tea", "chai"}
    whole = found()
    assert found("--from", "1", "--size", "1") == whole[1:2]
    assert found("--from", "9") == []


def test_dates_in_iso_8601_filter_as_words(run, tmp_path):
    days = {"old": "2023-12-31", "new": "2024-01-31", "newest": "2024-02-01"}
    lines = [json.dumps({"_id": name, "text": "tea", "published": day}) for name, day in days.items()]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines))
    run("index", "--collection", str(tmp_path), "--index", "news")
    for bounds, wanted in {"published>=2024-01-01": {"new", "newest"}, "published<2024-02-01": {"old", "new"}}.items():
        response = json.loads(run("search", "tea", "--index", "news", "--json", "--filter", bounds).stdout)
        assert {hit["doc_id"] for hit in response["hits"]} == wanted


def test_fragments_take_the_place_of_the_beginning_of_the_text(indexed, run):
    shown = run("search", "spices", "--index", "menu", "--highlight", "text", "--size", "1").stdout
    assert "Tea with milk and spices" in shown
    response = json.loads(run("search", "spices", "--index", "menu", "--highlight", "text", "--json").stdout)
    assert response["hits"][0]["highlights"] == {"text": ["Tea with milk and <em>spices</em>"]}


def test_an_engine_that_cannot_fuse_is_asked_and_named(indexed, run):
    strict = run("search", "tea", "--index", "menu", "--fusion", "native", expect=1)
    assert "the embedded engine leaves fusion to the client" in strict.stderr
    assert "--no-strict" in strict.stderr
    lenient = ("--no-strict", "--json")
    response = json.loads(run("search", "tea", "--index", "menu", "--fusion", "native", *lenient).stdout)
    assert [(each["stage"], each["reason"]) for each in response["degraded"]] == [("fusion", "not_native")]
    assert response["hits"]


def test_a_search_that_is_misconfigured_ends_with_an_error(indexed, run):
    wrong = ("search", "tea", "--index", "menu", "--highlight", "txet")
    assert "highlight: index 'menu' has no field 'txet'" in run(*wrong, expect=1).stderr
    response = json.loads(run(*wrong, "--no-strict", "--json").stdout)
    assert [(each["reason"], each["configuration"]) for each in response["degraded"]] == [("bad_field", True)]
    assert response["hits"]


def test_without_a_sidecar_the_search_is_answered_and_says_so(indexed, run):
    done = run("search", "green tea", "--index", "menu", "--sidecar", "127.0.0.1:1", "--json")
    response = json.loads(done.stdout)
    assert response["hits"][0]["doc_id"] == "tea"
    assert [each["stage"] for each in response["degraded"]] == ["encode", "rescore"]
    assert "rescore was left out" in run("search", "tea", "--index", "menu", "--sidecar", "127.0.0.1:1").stderr


def test_a_key_in_the_environment_goes_nowhere_unencrypted(indexed, run):
    arguments = ("search", "tea", "--index", "menu", "--sidecar", "sidecar.example:1")
    done = run(*arguments, expect=1, HYBRIDRANK_CLIENT_API_KEY="s3cret-key")
    assert "unencrypted to sidecar.example:1" in done.stderr
    assert "s3cret-key" not in done.stdout + done.stderr
    done = run(
        *arguments, expect=1, HYBRIDRANK_CLIENT_CA_CERTS="/no/such/ca.pem", HYBRIDRANK_CLIENT_API_KEY="s3cret-key"
    )
    assert "error: /no/such/ca.pem: No such file or directory" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expect", "said"),
    [
        (("search", "tea", "--index", "nowhere"), 1, "no index 'nowhere'"),
        (("search", "tea", "--index", "menu", "--engine", "http://127.0.0.1:1"), 1, "http://127.0.0.1:1"),
        (("search", "  ", "--index", "menu"), 2, "query_text"),
        (("search", "tea", "--index", "menu", "--filter", "kind"), 2, "FIELD=VALUE"),
        (("search", "tea", "--index", "menu", "--filter", "colour=red"), 1, "'colour'"),
        (("search", "tea", "--index", "menu", "--engine", "elastic"), 2, "embedded:PATH"),
        (("search", "tea"), 2, "--index"),
        (("index", "synonyms", "menu", __file__), 2, "no synonyms"),
        (("index", "--collection", "/no/such/folder", "--index", "x"), 1, "/no/such/folder"),
        (("no-such-command",), 2, "no-such-command"),
    ],
    ids=str,
)
def test_errors_are_one_sentence(indexed, run, arguments, expect, said):
    done = run(*arguments, expect=expect)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_names_what_is_there(indexed, run):
    findings = {each["subject"]: each for each in json.loads(run("doctor", "--json").stdout)}
    assert findings["engine embedded"]["state"] == "ok"
    assert findings["model encoder-minilm-l6:2"]["state"] == "ok"
    assert "colbert" in findings["model encoder-minilm-l6:2"]["detail"]


def test_doctor_says_which_encoder_made_an_index(indexed, run):
    findings = json.loads(run("doctor", "--index", "menu", "--json").stdout)
    (made,) = (each for each in findings if each["subject"] == "index menu")
    assert made["state"] == "ok"
    assert "vector holds vectors of encoder-minilm-l6" in made["detail"]
    assert "trained on" not in indexed.stderr


def test_an_index_says_which_encoder_made_its_vectors(indexed, run):
    said = run("index", "encoder", "menu", "--dry-run").stdout
    assert said.startswith("menu: vector holds vectors of encoder-minilm-l6 (digest ")
    assert run("index", "encoder", "menu").stdout == said
    assert (
        "holds no vectors in 'title'; fields that do: vector"
        in run("index", "encoder", "menu", "--field", "title", expect=1).stderr
    )


def test_doctor_says_what_to_do_about_what_is_not(run):
    done = run("doctor", "--engine", "http://127.0.0.1:1", "--sidecar", "127.0.0.1:1", "--json", expect=1)
    problems = {each["subject"]: each for each in json.loads(done.stdout) if each["state"] == "problem"}
    assert set(problems) == {"engine", "sidecar"}
    assert all(each["advice"] for each in problems.values())


@pytest.mark.parametrize("options", [(), ("--json",), ("--explain", "--highlight", "title")], ids=str)
def test_a_lone_surrogate_in_a_document_is_shown_as_replacement(run, options):
    """A server takes one in a document and gives it back; no terminal and no model can read it."""
    tea = {"_index": "docs", "_id": "tea", "_score": 1.0, "_source": {"title": "tea \ud83d", "text": "hot \ud83d"}}
    found = {"hits": {"hits": [tea | {"highlight": {"title": ["<em>tea</em> \ud83d"]}}]}}
    vector = {"type": "knn_vector", "dimension": 384}
    fields = {"title": {"type": "text"}, "text": {"type": "text"}, "vector": vector}

    def reply(asked):
        if asked.path.endswith("_mapping"):
            return Reply(body={"docs": {"mappings": {"properties": fields}}})
        return Reply(body={"responses": [found, found]} if asked.path == "/_msearch" else found | NODES)

    with fake_engine(reply) as server:
        done = run(
            "search", "tea", "--index", "docs", "--engine", server.url, *options, PYTHONIOENCODING="utf-8:strict"
        )
    assert "tea \ufffd" in done.stdout.replace("[bold]", "")
    assert "degraded" not in done.stderr
