"""`hybridrank setup opensearch` on a real cluster: there, used by plain HTTP alone, and gone again without a trace."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.models.loading import load
from tests.sidecar.doubles import GatedReranker, loaded
from tests.sidecar.http_serving import serving_both
from tests.sidecar.serving import rerank_request

DOCS = Path(__file__).parents[2] / "docs" / "opensearch.md"
RERANK, EMBED = "/v1/rerank", "/v1/embeddings"
QUESTION = "how long does green tea steep?"
ANSWER = 77
PAGE, WINDOW = 10, 50
RERANKED = "/tea/_search?search_pipeline=hybridrank-rerank"
TEMPLATE = "/tea/_search/template?search_pipeline=hybridrank-rerank"
NOTHING_LISTENS = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def tea(setup, ml_commons):
    """The cluster set up, with documents of which one answers QUESTION; all of it is gone afterwards."""
    setup("--index", "tea", "--yes")
    write(ml_commons, "tea", range(120))
    yield
    setup("--remove", "--yes")
    ml_commons.delete("/tea").raise_for_status()


def write(http, index, numbers):
    lines = []
    for number in numbers:
        text = f"Leaves of kind {number} in hot water. " + "Green tea steeps for two minutes." * (number == ANSWER)
        lines += [{"index": {"_id": str(number)}}, {"title": f"Tea {number}", "text": text, "price": number}]
    body = "".join(f"{json.dumps(line)}\n" for line in lines)
    answer = http.post(f"/{index}/_bulk?refresh", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.raise_for_status().json()["errors"] is False, answer.text


def hybrid(text=QUESTION, **more):
    """A request as an application would write it."""
    queries = [{"match": {"text": text}}, {"neural": {"vector": {"query_text": text, "k": 100}}}]
    return {
        "query": {"hybrid": {"queries": queries}},
        "ext": {"rerank": {"query_context": {"query_text": text}}},
        "_source": {"excludes": ["vector"]},
        "size": PAGE,
    } | more


def search(http, path, body):
    return http.post(path, json=body).raise_for_status().json()["hits"]["hits"]


def state(http):
    """Everything of the cluster that setup may touch."""

    def names(kind):
        answer = http.post(f"/_plugins/_ml/{kind}/_search", json={"query": {"match_all": {}}, "size": 100})
        return [] if answer.status_code == 404 else [each["_id"] for each in answer.json()["hits"]["hits"]]

    metadata = http.get("/_cluster/state/metadata?filter_path=metadata.stored_scripts").json().get("metadata", {})
    return {
        "settings": http.get("/_cluster/settings").json(),
        "search": http.get("/_search/pipeline").json(),
        "ingest": http.get("/_ingest/pipeline").json(),
        "scripts": metadata.get("stored_scripts", {}),
        "templates": http.get("/_index_template").json(),
        "components": http.get("/_component_template").json(),
        "ml-commons": {kind: names(kind) for kind in ("connectors", "models", "model_groups", "tasks")},
    }


def test_from_an_empty_cluster_to_reranked_hits_and_back(setup, ml_commons, http_face):
    """Nothing but HTTP between the command's two runs; the sidecar is called with the window, not with the page."""
    before = state(ml_commons)
    assert len(setup("--index", "tea", "--dry-run")) > 15
    assert state(ml_commons) == before
    assert "say --yes" in setup("--index", "tea", expect=1)
    assert state(ml_commons) == before

    planned = setup("--index", "tea", "--yes")
    assert [step["name"] for step in planned if step["kind"] == "cluster setting"] == [
        "plugins.ml_commons.trusted_connector_endpoints_regex",
        "plugins.ml_commons.connector.private_ip_enabled",
    ]
    assert setup("--index", "tea", "--yes") == []

    write(ml_commons, "tea", range(120))
    assert max(call["texts"] for call in http_face.calls(EMBED)) == 32
    hits = search(ml_commons, TEMPLATE, {"id": "hybridrank-search", "params": {"query_text": QUESTION}})
    assert len(hits) == PAGE
    assert hits[0]["_id"] == str(ANSWER)
    assert 1 > hits[0]["_score"] > 0.9 > hits[1]["_score"]
    assert http_face.calls(RERANK)[-1]["candidates"] == WINDOW

    setup("--remove", "--yes")
    assert state(ml_commons) == before
    assert setup("--remove", "--yes") == []
    write(ml_commons, "tea", [500])  # the index forgot the pipeline that is gone
    assert search(ml_commons, "/tea/_search", {"query": {"match": {"title": "500"}}})[0]["_source"]["price"] == 500
    ml_commons.delete("/tea").raise_for_status()


def test_the_page_of_the_docs_is_true(ml_commons, ml_commons_url, http_face):
    """Its commands, one after the other, on this cluster and this sidecar."""
    before = state(ml_commons)
    blocks = re.findall(r"```console\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    commands = [each for block in blocks for each in split(block)]
    assert len(commands) >= 6
    variables = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    answers = []
    for command in commands:
        here = command.replace("http://localhost:9200", ml_commons_url).replace("http://localhost:8080", http_face.url)
        here = here.replace("localhost:9200", ml_commons_url)
        done = subprocess.run(["bash", "-c", here], capture_output=True, text=True, check=False, env=variables)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert '"error"' not in done.stdout, f"{command}\n{done.stdout}"
        if command.startswith("curl"):
            answers.append(json.loads(done.stdout))
    found = [[hit["_id"] for hit in answer["hits"]["hits"]] for answer in answers if "hits" in answer]
    assert found[0][0] == "tea"
    assert set(found[1]) == {"chai", "soup"}
    assert found[2][0] == "tea"
    assert state(ml_commons) == before
    ml_commons.delete("/docs").raise_for_status()


def split(block):
    """The commands of a console block, each after `$ `."""
    return [each.strip() for each in re.split(r"^\$ ", block, flags=re.MULTILINE) if each.strip()]


@pytest.mark.parametrize(("size", "window"), [(1, 5), (3, 15), (20, 100)])
def test_the_window_is_five_pages(tea, ml_commons, http_face, size, window):
    assert len(search(ml_commons, RERANKED, hybrid(size=size))) == size
    assert http_face.calls(RERANK)[-1]["candidates"] == window


def test_text_of_any_kind_arrives(tea, ml_commons, http_face):
    text = 'green tea "two minutes" \\ back\\slash\n\ttab é 茶 {"a": [1]} ${parameters.model} {{query_text}}'
    hits = search(ml_commons, TEMPLATE, {"id": "hybridrank-search", "params": {"query_text": text, "size": 2}})
    assert hits[0]["_id"] == str(ANSWER)
    last = http_face.calls(RERANK)[-1]
    assert (last["code"], last["candidates"]) == ("OK", 10)


def test_a_filter_holds_for_both_retrievers(tea, ml_commons, http_face):
    params = {"query_text": QUESTION, "size": 20, "filter": {"range": {"price": {"gte": 100}}}}
    hits = search(ml_commons, TEMPLATE, {"id": "hybridrank-search", "params": params})
    assert {int(hit["_id"]) for hit in hits} == set(range(100, 120))
    assert http_face.calls(RERANK)[-1]["candidates"] == 20


def test_the_text_may_be_read_from_the_query(tea, ml_commons, http_face):
    context = {"query_text_path": "query.hybrid.queries.0.match.text.query"}
    assert search(ml_commons, RERANKED, hybrid(ext={"rerank": {"query_context": context}}))[0]["_score"] > 0.9


def test_a_passage_that_is_not_in_the_source_is_read_from_fields(tea, ml_commons):
    hits = search(ml_commons, RERANKED, hybrid(_source=["title"], fields=["passage"]))
    assert hits[0]["_id"] == str(ANSWER)
    assert hits[0]["_score"] > 0.9
    blind = search(ml_commons, RERANKED, hybrid(_source=["title"]))
    assert len({hit["_score"] for hit in blind}) == 1, "the docs say that these are scores of an empty text"


@pytest.mark.parametrize(
    "more",
    [{"size": 0}, {"track_total_hits": False}, {"ext": {}}],
    ids=["no page", "no total", "no text to rerank by"],
)
def test_the_fused_page_is_returned_if_reranking_fails(tea, ml_commons, http_face, more):
    """Each is an exception within the plugin, which the pipeline passes over."""
    calls = len(http_face.calls(RERANK))
    body = hybrid(**more)
    fused = search(ml_commons, "/tea/_search?search_pipeline=hybridrank-rrf", body)
    assert [hit["_id"] for hit in search(ml_commons, RERANKED, body)] == [hit["_id"] for hit in fused]
    assert len(fused) == body["size"]
    assert len(http_face.calls(RERANK)) == calls


def test_no_hits_is_an_empty_page(tea, ml_commons):
    nothing = {"hybrid": {"queries": [{"match": {"text": "zebra"}}, {"match": {"title": "zebra"}}]}}
    assert search(ml_commons, RERANKED, hybrid(query=nothing)) == []


def test_a_hybrid_query_without_a_pipeline_name_is_fused(tea, ml_commons):
    """Elsewhere it comes back with delimiters for hits, whose scores are below -4e9."""
    assert all(0 < hit["_score"] < 0.04 for hit in search(ml_commons, "/tea/_search", hybrid()))
    scaled = search(ml_commons, "/tea/_search?search_pipeline=hybridrank-normalization", hybrid())
    assert scaled[0]["_score"] == pytest.approx(1.0, abs=1e-3)


def test_scores_computed_elsewhere_rank_by_field(setup, tea, ml_commons):
    steps = setup("--score-field", "price", "--yes")
    assert [(step["action"], step["name"]) for step in steps] == [("change", "hybridrank-by-field")]
    by_field = "/tea/_search?search_pipeline=hybridrank-by-field"
    window = search(ml_commons, "/tea/_search?search_pipeline=hybridrank-rrf", hybrid(size=WINDOW))
    prices = sorted((hit["_source"]["price"] for hit in window), reverse=True)
    assert [hit["_source"]["price"] for hit in search(ml_commons, by_field, hybrid())] == prices[:PAGE]
    setup("--score-field", "missing", "--yes")
    assert [hit["_id"] for hit in search(ml_commons, by_field, hybrid())] == [hit["_id"] for hit in window[:PAGE]]


async def test_a_document_refused_by_a_busy_sidecar_is_sent_again(setup, tea, ml_commons):
    """The queue is full until the first refusal is counted; ml-commons tries again by itself."""
    slow = GatedReranker()
    models = Models([*load([SHIPPED_MODELS]), loaded(slow)])
    async with serving_both(models, threads=1, max_queue_tokens=10) as sidecar:
        await asyncio.to_thread(setup, "--sidecar", sidecar.url, "--yes")
        try:
            held = asyncio.ensure_future(sidecar.reranker.Rerank(rerank_request("gated", "a", "a " * 20, "b " * 9)))
            assert await asyncio.to_thread(slow.started.wait, 60)
            document = {"title": "Late tea", "text": "hot water"}
            writing = asyncio.ensure_future(asyncio.to_thread(ml_commons.put, "/tea/_doc/late", json=document))
            while not await sidecar.metric("requests_total", wire="http", method="Encode", outcome="refused"):
                assert not writing.done(), writing.result().text
                await asyncio.sleep(0.02)
            slow.gate.set()
            await held
            answer = await writing
            assert answer.status_code == 201, answer.text
        finally:
            slow.gate.set()
            await asyncio.to_thread(setup, "--yes")
    stored = await asyncio.to_thread(ml_commons.get, "/tea/_doc/late")
    assert len(stored.json()["_source"]["vector"]) == 384
    ml_commons.delete("/tea/_doc/late?refresh").raise_for_status()


def test_without_its_sidecar_only_neural_queries_and_writes_fail(setup, tea, ml_commons):
    """Another address is also a change of connectors, which ml-commons allows to models that are not deployed alone."""
    steps = setup("--sidecar", NOTHING_LISTENS, "--yes")
    assert {step["kind"] for step in steps if step["action"] == "change"} >= {"connector", "cluster setting"}
    try:
        words = {"hybrid": {"queries": [{"match": {"text": "hot water"}}, {"match": {"title": "tea"}}]}}
        assert len(search(ml_commons, RERANKED, hybrid(query=words))) == PAGE
        assert ml_commons.post(RERANKED, json=hybrid()).status_code >= 400
        refused = ml_commons.put("/tea/_doc/unwritten", json={"text": "hot water"})
        assert "Error communicating with remote model" in refused.text
        assert ml_commons.get("/tea/_doc/unwritten").json()["found"] is False
    finally:
        setup("--yes")
    assert search(ml_commons, RERANKED, hybrid())[0]["_score"] > 0.9
