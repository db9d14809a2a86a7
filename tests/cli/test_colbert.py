"""`hybridrank colbert` and `index --token-vectors`, as processes against real models."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.types import DocumentKey
from hybridrank.sidecar.child import sidecar_process
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.types import TextKind
from tests.golden.sidecar import FOLDER

DOCUMENTS = [
    {"_id": "tea", "title": "Green tea", "text": "Leaves in hot water."},
    {"_id": "chai", "title": "Chai", "text": "Tea with milk and spices."},
    {"_id": "soup", "title": "Soup of the day", "text": "Vegetables in hot water."},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("menu")
    (folder / "corpus.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in DOCUMENTS))
    return folder


@pytest.fixture(scope="module")
def run(folder, sidecar_address):
    environment = os.environ | {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "HYBRIDRANK_ENGINE": f"embedded:{folder / 'indices'}",
        "HYBRIDRANK_SIDECAR": sidecar_address,
        "COLUMNS": "300",
    }

    def run(*arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hybridrank", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


def test_a_codec_is_trained_served_and_indexed_with(folder, run):
    out = folder / "packed-models"
    arguments = ("colbert", "train-codec", "--collection", str(folder), "--out", str(out))
    printed = run(*arguments, "--bits", "4", "--centroids", "4").stdout
    model = load_model(out)
    assert model.info.token_codec in printed
    assert len(model.info.token_codec) == 64
    with sidecar_process(models=out) as process:
        index = ("index", "--collection", str(folder), "--index", "packed", "--json", "--sidecar", process.address)
        for name, bytes_a_token in {"residual": 2 + 384 // 2, "int8": 384}.items():
            report = json.loads(run(*index, "--token-vectors", name).stdout)
            assert report["indexed"] == 3
            assert json.loads(run(*index, "--token-vectors", name).stdout)["unchanged"] == 3
            engine = EmbeddedEngine(folder / "indices")
            keys = [DocumentKey("packed", each) for each in ("tea", "chai")]
            stored = asyncio.run(engine.stored_token_vectors("packed", keys))
            assert [(len(packed) - 16) % bytes_a_token for packed in stored.values()] == [0, 0]


def test_a_codec_without_the_most_frequent_token_is_another_one(folder, run):
    """Only the full stop is in all three documents."""
    arguments = ("colbert", "train-codec", "--collection", str(folder), "--bits", "1", "--centroids", "4")
    found = {}
    for prune in ("0", "1"):
        out = folder / f"pruned-{prune}"
        printed = run(*arguments, "--out", str(out), "--prune", prune).stdout
        found[prune] = load_model(out)
        assert f", {prune} token" in printed
    encoder = found["1"].reranker.encoder
    (full_stop,) = encoder.tokenize_texts(["."], TextKind.DOCUMENT)[0].token_ids[1:-1]
    assert found["1"].codecs["residual"].pruned == {full_stop}
    assert found["0"].info.token_codec != found["1"].info.token_codec


def test_a_codec_that_cannot_be_trained_is_an_error(folder, run):
    arguments = ("colbert", "train-codec", "--collection", str(folder), "--out", str(folder / "never"))
    assert "3 bits a dimension" in run(*arguments, "--bits", "3", expect=2).stderr
    assert "too few" in run(*arguments, "--centroids", "4096", expect=2).stderr
    cross_encoder = str(FOLDER / "tiny-cross-encoder")
    assert "makes no token vectors" in run(*arguments, "--model", cross_encoder, expect=2).stderr
    assert not (folder / "never").exists()


def test_a_sidecar_without_a_codec_says_what_makes_one(folder, run):
    with sidecar_process(models=FOLDER / "tiny-encoder", settings={"names": "encoder=tiny-encoder"}) as process:
        arguments = ("index", "--collection", str(folder), "--index", "never", "--token-vectors", "residual")
        bare = ("--colbert", "tiny-encoder", "--sidecar", process.address)
        assert "`hybridrank colbert train-codec` makes one" in run(*arguments, *bare, expect=1).stderr
    other = ("index", "--collection", str(folder), "--index", "never", "--token-vectors", "int8", "--colbert", "none")
    assert "no model named 'none'" in run(*other, expect=1).stderr


def test_a_new_index_is_packed_by_the_codec_that_ships(folder, run):
    report = json.loads(run("index", "--collection", str(folder), "--index", "default", "--json").stdout)
    assert report["token_vectors"] == {"model": "encoder-minilm-l6", "format": "residual"}
    stored = asyncio.run(
        EmbeddedEngine(folder / "indices").stored_token_vectors("default", [DocumentKey("default", "tea")])
    )
    assert {(len(packed) - 16) % (2 + 384 // 4) for packed in stored.values()} == {0}
    found = json.loads(run("search", "hot tea", "--index", "default", "--json").stdout)
    assert found["degraded"] == []
    assert {hit["scored_chunks"] for hit in found["hits"]} == {0}


def test_search_scores_by_stored_token_vectors_or_reports_none(folder, run):
    index = ("index", "--collection", str(folder), "--index", "searched", "--json")
    search = ("search", "hot tea", "--index", "searched", "--json")
    run(*index, "--token-vectors", "none")
    by_texts = json.loads(run(*search).stdout)
    assert "have no token vectors" in run(*search, "--token-vectors", expect=1).stderr
    (lack,) = json.loads(run(*search, "--token-vectors", "--no-strict").stdout)["degraded"]
    assert (lack["stage"], lack["reason"]) == ("rescore", "token_vectors")
    assert json.loads(run(*index, "--token-vectors", "fp16").stdout)["indexed"] == 3
    stored = json.loads(run(*search, "--token-vectors").stdout)
    assert (by_texts["degraded"], stored["degraded"]) == ([], [])
    assert {each["doc_id"]: pytest.approx(each["rerank_score"], abs=1e-3) for each in stored["hits"]} == {
        each["doc_id"]: each["rerank_score"] for each in by_texts["hits"]
    }
    refused = run(*search, "--token-vectors", "--rerank", "cross-encoder", expect=2)
    assert "cross-encoder scores no token vectors" in refused.stderr
