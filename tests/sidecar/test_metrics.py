"""What is counted: the same for both wires, documented, and without a word of a user."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.sidecar.http_serving import serving_both
from tests.sidecar.serving import rerank_request

DOCS = Path(__file__).parents[2] / "docs" / "sidecar.md"
LONG = "word " * 20_000


async def test_both_wires_count_the_same(tiny):
    for wire in ("grpc", "http"):
        async with serving_both(tiny) as wires:
            if wire == "grpc":
                await wires.reranker.Rerank(rerank_request("tiny-cross-encoder", "a query", "a", LONG))
            else:
                body = {"model": "tiny-cross-encoder", "query": "a query", "documents": ["a", LONG]}
                await wires.http.post("/v1/rerank", json=body)
            assert await wires.metric("requests_total") == 1
            assert await wires.metric("requests_total", wire=wire, method="Rerank", outcome="ok") == 1
            assert await wires.metric("request_texts_sum", method="Rerank") == 2
            assert await wires.metric("truncated_texts_total", model="tiny-cross-encoder") == 1
            for stage in ("tokenize", "queue", "compute"):
                assert await wires.metric("stage_seconds_count", method="Rerank", stage=stage) == 1
            assert await wires.metric("batch_texts_total") == 2
            assert await wires.metric("batches_total") >= 1
            tokens, padded = await wires.metric("batch_tokens_total"), await wires.metric("batch_padded_tokens_total")
            assert 4 < tokens <= padded
            assert await wires.metric("queue_tokens") == 0
            assert await wires.metric("running_requests") == 0


async def test_the_cache_counts_its_hits_and_misses(tiny):
    async with serving_both(tiny, score_cache_bytes=100_000) as wires:
        for documents in (["a", "b"], ["b", "c", "a"]):
            body = {"model": "tiny-cross-encoder", "query": "a query", "documents": documents}
            await wires.http.post("/v1/rerank", json=body)
        assert (await wires.metric("cache_hits_total"), await wires.metric("cache_misses_total")) == (2, 3)
        assert 0 < await wires.metric("cache_bytes") <= 100_000


async def test_each_loaded_model_is_listed_once(tiny):
    async with serving_both(tiny) as wires:
        for model in tiny:
            info = model.info
            labels = {"name": info.name, "version": info.version, "digest": info.digest, "precision": info.precision}
            assert await wires.metric("model_info", **labels) == 1


async def test_no_word_of_a_caller_becomes_a_label(tiny):
    async with serving_both(tiny) as wires:
        await wires.http.post("/v1/rerank", json={"model": "secret", "query": "secret", "documents": ["secret"]})
        await wires.http.get("/secret")
        assert "secret" not in (await wires.http.get("/metrics")).text
        assert await wires.metric("requests_total", outcome="invalid") == 1


async def test_every_metric_of_ours_is_in_the_docs_and_nothing_else(tiny):
    async with serving_both(tiny) as wires:
        await wires.http.post("/v1/embeddings", json={"input": "a"})
        page = (await wires.http.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(page)}
    ours = {name + ("_total" if family.type == "counter" else "") for name, family in families.items()}
    documented = set(re.findall(r"^\| `(hybridrank_sidecar_\w+)`", DOCS.read_text(), flags=re.MULTILINE))
    assert {name for name in ours if name.startswith("hybridrank_") and not name.endswith("_created")} == documented
    assert "process_resident_memory_bytes" in families


async def test_openmetrics_when_it_is_asked_for(tiny):
    async with serving_both(tiny) as wires:
        response = await wires.http.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
