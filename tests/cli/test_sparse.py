"""Sparse vectors through the command line: index, search, evaluate and tune, with the embedded engine."""

import json
import shutil
from pathlib import Path

import pytest

from hybridrank.model_files import model_folder
from hybridrank.sidecar.child import sidecar_process
from tests.golden.sidecar import FOLDER as TINY_MODELS
from tests.golden.splade import TINY as TINY_SPLADE


def served(source, folder, **fields):
    shutil.copytree(source, folder)
    model_folder.write(folder, model_folder.read(folder).toml.model_copy(update=fields))


def serving(models, **fields):
    served(TINY_MODELS / "tiny-encoder", models / "encoder", aliases=("encoder",))
    served(TINY_SPLADE, models / "splade", aliases=("splade",), **fields)
    return sidecar_process(models=models)


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory):
    """A sidecar with a tiny encoder and a tiny SPLADE model, by the names that commands use."""
    with serving(tmp_path_factory.mktemp("models")) as process:
        yield process.address


@pytest.fixture(scope="module")
def other_sidecar(tmp_path_factory):
    """The same with another SPLADE model: it keeps fewer tokens."""
    with serving(tmp_path_factory.mktemp("others"), document_terms=255) as process:
        yield process.address


def retrievers(done):
    hits = json.loads(done.stdout)["hits"]
    return {hit["doc_id"]: set(hit["retrievers"]) for hit in hits}


def found(run, text="rank of a passage", config="sparse.yaml"):
    """doc_id → the retrievers that found it."""
    Path(config).write_text("retrievers: [bm25, knn, sparse]\n")
    hits = json.loads(run("search", text, "--index", "docs", "--config", config, "--json").stdout)["hits"]
    return {hit["doc_id"]: set(hit["retrievers"]) for hit in hits}


def index(run, docs, *more, code=0):
    return run("index", "--collection", docs, "--index", "docs", "--json", *more, code=code)


def test_documents_are_indexed_and_found_by_sparse_vectors(run, docs):
    report = json.loads(index(run, docs, "--sparse", "splade").stdout)
    assert (report["indexed"], report["rejected"]) == (4, [])
    again = json.loads(index(run, docs, "--sparse", "splade").stdout)
    assert (again["indexed"], again["unchanged"]) == (0, 4)
    assert found(run)["a"] == {"bm25", "knn", "sparse"}


def test_an_index_is_not_written_without_its_sparse_vectors(run, docs):
    index(run, docs, "--sparse", "splade")
    before = found(run)
    refused = index(run, docs, code=1).stderr
    assert "index 'docs' holds sparse vectors of tiny-splade (digest a7632d24dfc9)" in refused
    assert "say `--sparse tiny-splade`" in refused
    planned = run("index", "--collection", docs, "--index", "docs", "--dry-run", code=1).stderr
    assert planned == refused[refused.index("error:") :]
    assert found(run) == before
    json.loads(index(run, docs, "--sparse", "tiny-splade").stdout)


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", "--pipelines", "bm25,sparse"),
        ("evaluate", "--pipelines", "bm25,knn"),
        ("tune", "--models", "none", "--trials", "2"),
        ("tune", "--models", "none", "--trials", "2", "--default", "rrf-sparse"),
    ],
    ids=" ".join,
)
def test_what_is_measured_keeps_its_sparse_vectors(run, docs, command):
    index(run, docs, "--sparse", "splade")
    before = found(run)
    (docs / "corpus.jsonl").write_text((docs / "corpus.jsonl").read_text().replace("search engine", "rank engine"))
    run(*command, "--collection", docs, "--index", "docs")
    assert found(run).keys() == before.keys()
    assert found(run, "rank engine")["c"] >= {"bm25", "sparse"}


def test_a_search_compares_by_the_model_that_the_index_notes(run, docs, tmp_path, monkeypatch):
    served(TINY_MODELS / "tiny-encoder", tmp_path / "models" / "encoder", aliases=("encoder",))
    served(TINY_SPLADE, tmp_path / "models" / "mine", name="mine")
    with sidecar_process(models=tmp_path / "models") as process:
        monkeypatch.setenv("HYBRIDRANK_SIDECAR", process.address)
        index(run, docs, "--sparse", "mine")
        assert found(run)["a"] == {"bm25", "knn", "sparse"}


def test_another_splade_model_gets_an_index_of_its_own(run, docs, sidecar, other_sidecar, monkeypatch):
    flags = ("--collection", docs, "--pipelines", "bm25,sparse,rrf-sparse", "--json")
    one = json.loads(run("evaluate", *flags, "-").stdout)
    assert one["pipelines"]["sparse"]["degraded"] == 0
    assert one["settings"]["sparse_encoder"] == "splade"
    monkeypatch.setenv("HYBRIDRANK_SIDECAR", other_sidecar)
    other = json.loads(run("evaluate", *flags, "-").stdout)
    assert other["pipelines"]["sparse"]["degraded"] == 0
    assert len(list(Path("cache/hybridrank/indices").iterdir())) == 2
