"""An index whose vectors a hosted model made, filled and searched from the command line."""

import json

from hybridrank.sidecar.child import sidecar_process
from tests.cli.test_which_sidecar import run, told  # noqa: F401 - run is a fixture
from tests.evaluation.menu import write_menu
from tests.sidecar.remote.providers import endpoints, model_folder, provider


def test_vectors_of_a_hosted_model_are_searched(run, tmp_path):  # noqa: F811
    menu = write_menu(tmp_path / "menu")
    models = tmp_path / "models"
    model_folder(models, "remote-encoder", "openai", aliases=["encoder"])
    model_folder(models, "remote-reranker", "cohere")
    with provider() as served:
        remotes = endpoints(tmp_path, served.url, "openai-encoder", "cohere-reranker")
        with sidecar_process(models=models, settings={"remotes": str(remotes)}) as sidecar:
            to = ("--index", "menu", "--sidecar", sidecar.address)
            run("index", "--collection", menu, *to)
            found = json.loads(run("search", "green tea", *to, "--rerank", "none", "--json").stdout)
            assert found["degraded"] == []
            assert "knn" in str(found)
            reranked = json.loads(run("search", "green tea", *to, "--rerank", "cohere-reranker", "--json").stdout)
            assert reranked["degraded"] == []
            doctor = run("doctor", *to, expect=0)
            assert "remote-encoder" in doctor.stdout
            assert "not asked" in doctor.stdout
        inputs = [text for body in served.bodies if "input" in body for text in body["input"]]
        assert "green tea" in inputs
        assert {body["model"] for body in served.bodies} == {"theirs"}
