"""`hybridrank doctor` on a real OpenSearch with each usual mistake made in earnest, and put right."""

import asyncio
import json
import ssl
import subprocess
import sys
from contextlib import contextmanager

import pytest

from hybridrank.cluster_setup.opensearch_facts import gather
from hybridrank.cluster_setup.opensearch_findings import ROLES, findings
from hybridrank.connector import connect_engine
from hybridrank.index_templates.ml_commons import RERANKER
from hybridrank.index_templates.ml_settings import PRIVATE_IP, TRUSTED
from tests.live.http_sidecar import http_sidecar
from tests.sidecar.certificates import Authority

AUTO_DEPLOY = "plugins.ml_commons.model_auto_deploy.enable"
KEY = "s3cret-s3cret-s3cret"
INDEX = "doctored"


@pytest.fixture(scope="module")
def made(setup, ml_commons):
    """The cluster set up, with an index; gone afterwards."""
    setup("--index", INDEX, "--yes")
    ml_commons.put(f"/{INDEX}").raise_for_status()
    yield
    setup("--remove", "--yes")
    ml_commons.delete(f"/{INDEX}").raise_for_status()


@pytest.fixture
def wrong(made, ml_commons_url):
    """Returns the findings of doctor that are not ok: subject → finding."""

    async def wrong(sidecar="", index=""):
        engine = await connect_engine(ml_commons_url, timeout_s=60)
        try:
            found = list(findings(await gather(engine.request, sidecar, index), sidecar))
        finally:
            await engine.close()
        return {each.subject: each for each in found if each.state != "ok"}

    return wrong


@contextmanager
def settings(http, **changed):
    """These cluster settings for as long as the block runs."""
    before = http.get("/_cluster/settings?flat_settings=true").json()["persistent"]
    http.put("/_cluster/settings", json={"persistent": changed}).raise_for_status()
    try:
        yield
    finally:
        back = {name: before.get(name) for name in changed}
        http.put("/_cluster/settings", json={"persistent": back}).raise_for_status()


def test_a_cluster_as_setup_leaves_it_is_sound(made, ml_commons_url, http_face):
    where = ["--engine", ml_commons_url, "--sidecar", http_face.address, "--sidecar-http", http_face.url]
    command = [sys.executable, "-m", "hybridrank", "doctor", *where, "--index", INDEX, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {each["subject"]: each for each in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    models = [name for name in found if name.startswith("model hybridrank-")]
    assert len(models) == 3
    assert {found[name]["state"] for name in models} == {"ok"}
    of_the_cluster = ("setting", "index", "ml-commons")
    assert [each for name, each in found.items() if name.startswith(of_the_cluster) and each["state"] != "ok"] == []
    assert "as the sidecar's encoder makes them" in found[f"index {INDEX}"]["detail"]


async def test_a_pattern_that_matches_a_part_of_the_url(wrong, ml_commons, http_face):
    with settings(ml_commons, **{TRUSTED: ["^http://127.0.0.1"]}):
        found = await wrong(http_face.url, INDEX)
    assert set(found) == {f"setting {TRUSTED}"}
    assert await wrong(http_face.url, INDEX) == {}


async def test_a_private_address_that_is_refused(wrong, ml_commons, http_face):
    with settings(ml_commons, **{PRIVATE_IP: False}):
        found = await wrong()
    assert set(found) == {f"setting {PRIVATE_IP}"}
    assert "127.0.0.1" in found[f"setting {PRIVATE_IP}"].detail


async def test_models_are_redeployed_once_a_node_may_run_them(wrong, setup, ml_commons):
    with settings(ml_commons, **{ROLES: ["ml"]}):
        found = await wrong()
        assert f"setting {ROLES}" in found
        assert "eligible" in found["model hybridrank-reranker"].detail
    setup("--yes")
    assert await wrong() == {}


async def test_a_key_that_is_missing_and_a_sidecar_that_is_gone(wrong, setup, ml_commons, tmp_path):
    """And that a key put in later counts, while no answer of the cluster tells it."""
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    with http_sidecar(tmp_path, "--api-keys", str(keys)) as locked:
        setup("--sidecar", locked.url, "--yes", HYBRIDRANK_CLIENT_API_KEY="")
        found = await wrong(locked.url)
        assert len(found) == 3
        assert all("CLIENT_API_KEY" in each.advice for each in found.values()), found
        steps = setup("--sidecar", locked.url, "--yes", HYBRIDRANK_CLIENT_API_KEY=KEY)
        assert {step["kind"] for step in steps} == {"connector", "deployment"}
        assert await wrong(locked.url) == {}
        everything = ml_commons.post("/_plugins/_ml/connectors/_search", json={"query": {"match_all": {}}}).text
        assert "hybridrank-reranker" in everything
        assert KEY not in everything
    gone = await wrong(locked.url)
    assert all("/readyz" in each.advice for each in gone.values()), gone
    assert len(gone) == 3
    setup("--yes")


async def test_a_model_that_is_not_deployed_and_may_not_deploy_itself(wrong, setup, ml_commons):
    """A model that answers is deployed, however late ml-commons reports it; one that is not reports it when tried."""
    with settings(ml_commons, **{AUTO_DEPLOY: False}):
        assert await wrong() == {}
        found = ml_commons.post("/_plugins/_ml/models/_search", json={"query": {"term": {"name.keyword": RERANKER}}})
        (model,) = found.json()["hits"]["hits"]
        ml_commons.post(f"/_plugins/_ml/models/{model['_id']}/_undeploy").raise_for_status()
        lacking = await wrong()
        assert set(lacking) == {f"model {RERANKER}"}
        assert "_deploy" in lacking[f"model {RERANKER}"].advice, lacking
        setup("--yes")
        assert await wrong() == {}


async def test_certificates_that_the_cluster_knows_and_does_not_know(wrong, setup, authority, tmp_path):
    """ml-commons has no setting for an authority: it trusts what the Java of its nodes trusts."""
    certificate, key = authority.sign("sidecar").write(tmp_path / "known")
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    with http_sidecar(tmp_path, "--tls-cert", str(certificate), "--tls-key", str(key)) as sidecar:
        assert sidecar.url.startswith("https://")
        # Its vectors' length is asked for from here, by the authority that the sidecar's own clients are told.
        setup("--sidecar", sidecar.url, "--index", "tls", "--yes", HYBRIDRANK_CLIENT_CA_CERTS=f"{tmp_path}/ca.pem")
        assert await wrong(sidecar.url) == {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority("nobody's").sign("sidecar").write(tmp_path / "unknown"))
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context) as unknown:
        url = f"https://127.0.0.1:{unknown.sockets[0].getsockname()[1]}"
        setup("--sidecar", url, "--yes")
        found = await wrong(url)
    assert len(found) == 3
    assert all("trustStore" in each.advice for each in found.values()), found
    setup("--yes")


async def test_a_wrong_dimension_and_a_missing_pipeline_are_reported(wrong, ml_commons):
    vector = {"type": "knn_vector", "dimension": 3, "space_type": "cosinesimil"}
    body = {"settings": {"index.knn": True}, "mappings": {"properties": {"vector": vector}}}
    ml_commons.put("/other", json=body).raise_for_status()
    try:
        found = await wrong(index="other")
    finally:
        ml_commons.delete("/other").raise_for_status()
    assert set(found) == {"model hybridrank-document-encoder", "model hybridrank-query-encoder", "index other"}
    assert "384 dimensions, field vector of other has 3" in found["model hybridrank-query-encoder"].detail
    assert "(none)" in found["index other"].detail


async def test_unreranked_and_unfused_searches_are_reported(wrong, ml_commons):
    words = {"hybrid": {"queries": [{"match": {"text": "tea"}}, {"match": {"title": "tea"}}]}}
    ml_commons.post(f"/{INDEX}/_doc?refresh", json={"title": "tea", "text": "tea"}).raise_for_status()
    with settings(ml_commons, **{"plugins.neural_search.stats_enabled": True}):
        for path, query in (
            ("?search_pipeline=hybridrank-rerank", words),  # without ext.rerank
            ("?search_pipeline=_none", words),
            ("?search_pipeline=hybridrank-rrf", {"match_all": {}}),
        ):
            ml_commons.post(f"/{INDEX}/_search{path}", json={"query": query}).raise_for_status()
        found = await wrong()
    assert "ext.rerank" in found["search pipeline hybridrank-rerank"].advice
    assert found["hybrid queries"].detail.startswith("1 of 2")
    assert found["search pipelines"].detail.startswith("1 of")
