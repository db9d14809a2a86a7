"""Token vectors through the command line: what an index holds is kept, and searched."""

import json
import shutil

import pytest

from hybridrank.model_files import model_folder
from hybridrank.sidecar.child import sidecar_process
from tests.golden.sidecar import FOLDER as TINY_MODELS


def served(source, folder, *aliases):
    shutil.copytree(source, folder)
    model_folder.write(folder, model_folder.read(folder).toml.model_copy(update={"aliases": aliases}))


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory):
    """A sidecar with a tiny encoder, by the names that commands use."""
    models = tmp_path_factory.mktemp("models")
    served(TINY_MODELS / "tiny-encoder", models / "encoder", "encoder", "colbert")
    with sidecar_process(models=models) as process:
        yield process.address


def index(run, docs, *more, code=0):
    done = run("index", "--collection", docs, "--index", "docs", "--json", *more, code=code)
    return done.stderr if code else json.loads(done.stdout)


def stored_search(run, *more):
    """The answer of a search that needs stored vectors: it degrades if a document has none."""
    return search(run, "--token-vectors", *more)


def search(run, *more):
    return json.loads(run("search", "rank of a passage", "--index", "docs", "--json", *more).stdout)


def windows(found):
    """The windows of text that were scored; stored vectors have none."""
    assert found["degraded"] == []
    return {hit["scored_chunks"] for hit in found["hits"] if hit["rerank_score"] is not None}


def test_a_new_index_stores_token_vectors_as_well_as_it_can(run, docs):
    """As int8 here, because the model has no codec."""
    report = index(run, docs)
    assert (report["indexed"], report["truncated"]) == (4, 0)
    assert report["token_vectors"] == {"model": "tiny-encoder", "format": "int8"}
    assert stored_search(run)["degraded"] == []


def test_an_index_without_token_vectors_stays_without(run, docs):
    assert index(run, docs, "--token-vectors", "none")["token_vectors"] is None
    again = index(run, docs)
    assert (again["unchanged"], again["token_vectors"]) == (4, None)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ((), "token vectors: int8, of tiny-encoder; 1 document longer than its windows"),
        (("--token-vectors", "none"), "token vectors: none, as asked"),
        (("--colbert", "tiny-encoder", "--token-vectors", "fp16"), "token vectors: fp16, of tiny-encoder; 1 document"),
    ],
    ids=" ".join,
)
def test_the_report_says_what_is_stored(run, docs, option, said):
    with (docs / "corpus.jsonl").open("a") as corpus:
        corpus.write("\n" + json.dumps({"_id": "long", "text": "search " * 400}))
    printed = run("index", "--collection", docs, "--index", "docs", *option).stdout
    assert printed.splitlines()[1].startswith(said)
    again = run("index", "--collection", docs, "--index", "docs").stdout.splitlines()[1]
    assert again.startswith(said.partition(";")[0] if "of" in said else "token vectors: none, as the index was made")


def test_token_vectors_beside_other_documents_are_stored_unnoted(run, docs, tmp_path):
    index(run, docs, "--token-vectors", "none")
    (docs / "corpus.jsonl").write_text('{"_id": "e", "text": "what is an engine"}')
    printed = run("index", "--collection", docs, "--index", "docs", "--token-vectors", "int8").stdout
    assert "not noted, because other documents of the index have none" in printed
    assert windows(search(run)) == {1}


def test_an_encoder_that_makes_no_token_vectors_is_enough(run, docs, tmp_path, monkeypatch):
    served(TINY_MODELS / "tiny-encoder", tmp_path / "models" / "encoder", "encoder")
    with sidecar_process(models=tmp_path / "models") as process:
        monkeypatch.setenv("HYBRIDRANK_SIDECAR", process.address)
        printed = run("index", "--collection", docs, "--index", "docs").stdout
    assert "token vectors: none, as there is no model 'colbert' that makes them" in printed


def test_passages_have_no_token_vectors(run, docs):
    """The embedded engine has no passages, so only the refusal of the engine is reached."""
    flags = ("--passages", "20")
    assert "token vectors are stored for whole documents" in index(
        run, docs, *flags, "--token-vectors", "int8", code=2
    ).replace("│ ", "")
    assert "the embedded engine has one vector for a document" in index(run, docs, *flags, code=1)


def test_an_index_goes_on_with_the_token_vectors_that_it_has(run, docs):
    assert index(run, docs, "--token-vectors", "fp16")["indexed"] == 4
    again = index(run, docs)
    assert (again["unchanged"], again["token_vectors"]["format"]) == (4, "fp16")
    (docs / "corpus.jsonl").write_text((docs / "corpus.jsonl").read_text().replace("search engine", "rank engine"))
    assert index(run, docs)["indexed"] == 1
    assert stored_search(run)["degraded"] == []


def test_an_index_is_not_written_without_its_token_vectors(run, docs):
    index(run, docs, "--token-vectors", "fp16")
    refused = index(run, docs, "--token-vectors", "none", code=1)
    assert "index 'docs' holds token vectors of tiny-encoder (digest 2fd111c3d8d5)" in refused
    assert "say `--token-vectors fp16 --colbert tiny-encoder`" in refused
    dry = ("index", "--collection", docs, "--index", "docs", "--dry-run")
    assert "holds token vectors" in run(*dry, "--token-vectors", "none", code=1).stderr
    assert run(*dry).stdout == "nothing would change\n"
    assert stored_search(run)["degraded"] == []


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", "--pipelines", "bm25,knn"),
        ("evaluate", "--pipelines", "bm25,rrf+colbert"),
        ("tune", "--models", "none", "--trials", "2"),
        ("tune", "--models", "colbert", "--trials", "2"),
    ],
    ids=" ".join,
)
def test_what_is_measured_keeps_its_token_vectors(run, docs, command):
    index(run, docs, "--token-vectors", "int8")
    (docs / "corpus.jsonl").write_text((docs / "corpus.jsonl").read_text().replace("search engine", "rank engine"))
    run(*command, "--collection", docs, "--index", "docs")
    assert index(run, docs)["unchanged"] == 4
    assert stored_search(run)["degraded"] == []


def test_a_search_uses_the_token_vectors_that_are_there(run, docs, tmp_path):
    index(run, docs, "--token-vectors", "none")
    assert windows(search(run)) == {1}
    index(run, docs, "--token-vectors", "int8")
    assert (windows(search(run)), windows(search(run, "--no-token-vectors"))) == ({0}, {1})
    config = tmp_path / "tuned.yaml"
    config.write_text("rescore: {model: colbert}\n")
    configured = ("--config", config)
    assert windows(search(run, *configured)) == windows(search(run, *configured, "--token-vectors")) == {0}
    assert windows(search(run, *configured, "--no-token-vectors")) == {1}


@pytest.mark.parametrize(("choice", "said"), [((), None), (("none",), []), (("int8",), ["colbert"])], ids=str)
def test_an_evaluation_says_what_was_scored(run, docs, choice, said):
    index(run, docs, "--token-vectors", "int8")
    flags = ("--pipelines", "bm25,rrf+colbert", "--index", "docs", "--json", "-")
    chosen = ("--token-vectors", *choice) if choice else ()
    result = json.loads(run("evaluate", "--collection", docs, *flags, *chosen).stdout)
    assert result["settings"]["token_vectors"] == said
    assert result["pipelines"]["rrf+colbert"]["degraded"] == 0
    assert index(run, docs)["unchanged"] == 4
