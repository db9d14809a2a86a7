"""Pages that clients of other servers ask for before they send work."""

import pytest

from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.transport.security.keys import KeyRing
from tests.sidecar.http_serving import serving_both

KEY = "a-key-of-sixteen-characters"


@pytest.fixture
async def wires(shipped):
    async with serving_both(shipped) as wires:
        yield wires


async def test_health_is_readiness(wires):
    assert (await wires.http.get("/health")).status_code == 200
    await wires.readiness.block("stuck")
    assert (await wires.http.get("/health")).status_code == 503


async def test_info_describes_the_reranker_or_the_model_named(wires):
    reranker = (await wires.http.get("/info")).json()
    assert (reranker["model_id"], list(reranker["model_type"])) == ("cross-encoder-minilm-l6", ["reranker"])
    assert reranker["max_input_length"] > 100
    encoder = (await wires.http.get("/info", params={"model": "encoder"})).json()
    assert (encoder["model_id"], list(encoder["model_type"])) == ("encoder-minilm-l6", ["embedding"])
    missing = await wires.http.get("/info", params={"model": "bert"})
    assert (missing.status_code, "cross-encoder" in missing.json()["error"]) == (404, True)


async def test_names_of_other_services_lead_to_loaded_models(shipped):
    names = {"rerank-v3.5": "cross-encoder", "BAAI/bge-m3": "encoder"}
    models = Models(shipped, names=names)
    async with serving_both(models) as wires:
        listed = {each["id"]: each["root"] for each in (await wires.http.get("/v1/models")).json()["data"]}
        assert listed["rerank-v3.5"] == listed["cross-encoder"]
        body = {"model": "rerank-v3.5", "query": "a", "documents": ["b"]}
        answer = await wires.http.post("/v2/rerank", json=body)
        assert answer.json()["model"] == "cross-encoder-minilm-l6"
        found = await wires.http.get("/v1/models/BAAI/bge-m3")
        assert found.json()["root"] == listed["encoder"]


async def test_pages_about_models_want_the_key(tiny, tmp_path):
    file = tmp_path / "keys"
    file.write_text(KEY)
    async with serving_both(tiny, keys=KeyRing(file)) as wires:
        for path in ("/v1/models", "/v1/models/tiny-encoder", "/info"):
            assert (await wires.http.get(path)).status_code == 401
            good = {"authorization": f"Bearer {KEY}"}
            assert (await wires.http.get(path, headers=good)).status_code == 200
        assert (await wires.http.get("/health")).status_code == 200
