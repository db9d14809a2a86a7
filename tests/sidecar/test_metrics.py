"""Metrics: the same for both wires, documented, and without a word of a user."""

import re
import shutil
import time
from pathlib import Path

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.errors import ModelRefused
from hybridrank.sidecar.models.control import ModelControl
from hybridrank.sidecar.models.loading import load
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.transport.calls import Calls
from hybridrank.sidecar.transport.security.keys import KeyRing
from hybridrank.sidecar.transport.security.tls import Tls
from tests.golden.sidecar import FOLDER
from tests.sidecar.certificates import DAY, Authority
from tests.sidecar.http_serving import serving_both
from tests.sidecar.serving import rerank_request

DOCS = Path(__file__).parents[2] / "docs" / "sidecar.md"
LONG = "word " * 20_000
KEY = "a-key-0123456789"


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
            assert await wires.metric("scored_chunks_total", model="tiny-cross-encoder") == 1 + 4
            assert await wires.metric("batch_texts_sum") == 1 + 4
            tokens, padded = await wires.metric("batch_tokens_total"), await wires.metric("batch_padded_tokens_total")
            assert 4 < tokens <= padded
            assert await wires.metric("queue_tokens") == 0
            assert await wires.metric("ready") == 1
            assert await wires.metric("running_requests") == 0


async def test_the_cache_counts_its_hits_and_misses(tiny):
    async with serving_both(tiny, score_cache_bytes=100_000) as wires:
        for documents in (["a", "b"], ["b", "c", "a"]):
            body = {"model": "tiny-cross-encoder", "query": "a query", "documents": documents}
            await wires.http.post("/v1/rerank", json=body)
        assert (await wires.metric("cache_hits_total"), await wires.metric("cache_misses_total")) == (2, 3)
        assert 0 < await wires.metric("cache_bytes") <= 100_000


async def test_the_histogram_of_batches_has_the_size_of_each(tiny):
    async with serving_both(tiny, threads=1) as wires:
        for size in (1, 3, 3, 9):
            texts = [f"{letter} of {size}" for letter in "abcdefghi"[:size]]
            await wires.http.post("/v1/embeddings", json={"model": "tiny-encoder", "input": texts})
        below = {
            le: await wires.metric("batch_texts_bucket", le=le) for le in ("1.0", "2.0", "4.0", "8.0", "16.0", "+Inf")
        }
        assert below == {"1.0": 1, "2.0": 1, "4.0": 3, "8.0": 3, "16.0": 4, "+Inf": 4}
        assert (await wires.metric("batch_texts_count"), await wires.metric("batch_texts_sum")) == (4, 16)


async def test_not_ready_names_its_reasons_while_they_hold(tiny):
    async with serving_both(tiny) as wires:
        await wires.readiness.block("draining")
        assert (await wires.metric("ready"), await wires.metric("not_ready", reason="draining")) == (0, 1)
        await wires.readiness.clear("draining")
        assert (await wires.metric("ready"), await wires.metric("not_ready")) == (1, 0)


async def test_refused_keys_are_counted_without_paths_of_the_caller(tiny, tmp_path):
    (tmp_path / "keys").write_text(KEY)
    async with serving_both(tiny, keys=KeyRing(tmp_path / "keys")) as wires:
        with pytest.raises(grpc.aio.AioRpcError):
            await wires.reranker.Rerank(rerank_request("tiny-cross-encoder", "a", "b"))
        with pytest.raises(grpc.aio.AioRpcError):
            await wires.channel.unary_unary("/secret.Service/Secret")(b"")
        for path in ("/v1/rerank", "/v1/embeddings", "/secret"):
            await wires.http.post(path, json={})
        wires.http.headers["authorization"] = f"Bearer {KEY}"
        page = (await wires.http.get("/metrics")).text
        assert "secret" not in page.lower()
        counted = {
            (sample.labels["wire"], sample.labels["method"], sample.labels["outcome"]): sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == "hybridrank_sidecar_requests_total"
        }
    refused = [("grpc", "Rerank"), ("grpc", "other"), ("http", "Rerank"), ("http", "Encode")]
    assert counted == {(wire, method, "invalid"): 1 for wire, method in refused}


def expiry(calls: Calls) -> float | None:
    return calls.metrics.registry.get_sample_value("hybridrank_sidecar_certificate_expiry_timestamp_seconds")


async def test_the_certificate_expiry_metric_follows_its_files(tiny, tmp_path):
    authority = Authority("ours")
    files = authority.sign("server").write(tmp_path)
    worker = Worker(threads=1, max_queue_tokens=1)
    service = RerankService(tiny, worker, max_batch_tokens=1)
    assert expiry(Calls(service)) is None
    calls = Calls(service, tls=Tls(*files))
    assert expiry(calls) == pytest.approx(time.time() + DAY.total_seconds(), abs=100)
    authority.sign("server", valid_for=-DAY).write(tmp_path)
    assert expiry(calls) == pytest.approx(time.time() - DAY.total_seconds(), abs=100)
    (tmp_path / "cert.pem").write_bytes(authority.certificate)  # of another key: what was read before stays in use
    assert expiry(calls) == pytest.approx(time.time() - DAY.total_seconds(), abs=100)
    worker.close()


async def test_changes_of_models_count_by_how_they_ended(tmp_path):
    kinds = {"tiny-encoder", "tiny-cross-encoder"}
    for kind in kinds:
        shutil.copytree(FOLDER / kind, tmp_path / kind)
    control = ModelControl(load([tmp_path]), [tmp_path])
    worker = Worker(threads=1, max_queue_tokens=1)
    calls = Calls(RerankService(control.models, worker, max_batch_tokens=1), control=control)

    def loads(outcome):
        return calls.metrics.registry.get_sample_value("hybridrank_sidecar_model_loads_total", {"outcome": outcome})

    assert [loads(outcome) for outcome in ("loaded", "refused", "unloaded")] == [0, 0, 0]
    await control.unload("tiny-encoder")
    await control.load("tiny-encoder")
    (tmp_path / "tiny-encoder" / "model.toml").write_text("broken")
    with pytest.raises(ModelRefused):
        await control.load("tiny-encoder")
    assert [loads(outcome) for outcome in ("loaded", "refused", "unloaded")] == [1, 1, 1]
    worker.close()


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
