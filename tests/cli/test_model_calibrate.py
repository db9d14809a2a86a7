"""`hybridrank model calibrate` as a process: real search, real model, and a sidecar that serves what it wrote."""

import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from hybridrank.model_files import calibration
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models.loading import load
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.training.onnx.golden_pairs import GOLDEN_PAIRS
from tests.sidecar.serving import rerank_request, serving

GOOD = 2  # of the passages of each query
DIGEST = load([SHIPPED_MODELS]).get("cross-encoder").info.digest


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """The golden pairs as a collection; the first two passages of each query answer it, the last one does not."""
    folder = tmp_path_factory.mktemp("golden")
    (folder / "qrels").mkdir()
    passages = [(f"{q}-{p}", text) for q, (_, texts) in enumerate(GOLDEN_PAIRS) for p, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"_id": i, "text": t}) + "\n" for i, t in passages))
    queries = [json.dumps({"_id": str(number), "text": query}) for number, (query, _) in enumerate(GOLDEN_PAIRS)]
    (folder / "queries.jsonl").write_text("\n".join(queries))
    judged = [f"{q}\t{q}-{p}\t{int(p < GOOD)}" for q in range(len(GOLDEN_PAIRS)) for p in (0, 1, 5)]
    (folder / "qrels/dev.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]))
    return folder


@pytest.fixture
def model(tmp_path):
    """The cross-encoder that ships, in a folder that can be written to."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for file in (SHIPPED_MODELS / "cross-encoder-minilm-l6").iterdir():
        (folder / file.name).symlink_to(file)
    return folder


@pytest.fixture
def run(collection, model, sidecar_address):
    environment = os.environ | {
        "XDG_CACHE_HOME": str(collection / "cache"),
        "HYBRIDRANK_SIDECAR": sidecar_address,
        "COLUMNS": "200",
    }

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "hybridrank",
            "model",
            "calibrate",
            str(model),
            "--collection",
            str(collection),
        ]
        return subprocess.run([*command, *options], capture_output=True, text=True, env=environment, check=False)

    return run


async def test_the_calibration_is_served_and_measured_out_of_sample(run, model):
    calibration.write(model, {"0" * 64: calibration.Temperature(slope=1, intercept=0)})
    done = run("--window", "10")
    assert done.returncode == 0, done.stderr
    assert "8 queries of" in done.stdout
    assert "80 pairs, 16 relevant; without a judgment: irrelevant; 15 bins" in done.stdout
    written = calibration.read(model)
    assert written.keys() == {DIGEST, "0" * 64}
    fitted = written[DIGEST]
    assert fitted.digest in done.stdout
    measured = fitted.measured["out_of_sample"]
    assert f"{measured['temperature']['ece_mass']:.4f}" in done.stdout
    assert measured["temperature"]["ece_mass"] < measured["sigmoid"]["ece_mass"]
    assert ElementTree.parse(model / "reliability.svg").getroot().tag.endswith("svg")

    query, passages = GOLDEN_PAIRS[0]
    options = pb.RerankOptions(score_type=pb.SCORE_TYPE_CALIBRATED)
    async with serving(load([model])) as client:
        reply = await client.reranker.Rerank(rerank_request("cross-encoder", query, *passages, options=options))
    assert reply.model.calibration == fitted.digest
    chances = {each.index: each.relevance_score for each in reply.results}
    assert min(chances[0], chances[1]) > chances[5]
    assert 0 < chances[5] < 0.5


def test_isotonic_replaces_temperature_and_drops_unjudged_pairs(run, model):
    done = run("--window", "48", "--method", "isotonic", "--unjudged", "left-out", "--queries", "6")
    assert done.returncode == 0, done.stderr
    assert "18 pairs, 12 relevant; without a judgment: left-out" in done.stdout
    assert isinstance(calibration.read(model)[DIGEST], calibration.Isotonic)


def test_without_both_kinds_of_pairs_nothing_is_written(run, model):
    done = run("--window", "1", "--unjudged", "left-out")
    assert done.returncode == 1
    assert "there must be some of both kinds" in done.stderr
    assert not (model / "calibration.json").exists()
