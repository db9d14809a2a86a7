"""`hybridrank doctor --index`: can the library search that index, and what is in the way."""

import json

import pytest
from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.cluster_setup.index_check import field_findings
from hybridrank.connector import ModelInfo
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition
from tests.connector.fake_engine import Reply, fake_engine

ENCODER = ModelInfo(
    name="mini",
    version="1",
    kind="encoder",
    digest="d",
    precision="int8",
    max_tokens=256,
    dimensions=384,
    aliases=("encoder",),
)
TEXTS = {"title": "text", "text": "text"}


@pytest.mark.parametrize(
    ("types", "dimensions", "states", "told"),
    [
        (TEXTS | {"vector": "knn_vector"}, {"vector": {384}}, ["ok", "ok"], "read title, text"),
        ({"title": "text"}, {"vector": {384}}, ["problem", "ok"], "no text here"),
        ({"body": "text"}, {}, ["problem", "note"], "SearchRequest(fields={'body': 1.0})"),
        ({"sku": "keyword"}, {}, ["problem", "note"], "no text field"),
        (TEXTS, {}, ["ok", "note"], "retrievers=('bm25',)"),
        (TEXTS, {"embedding": {384}}, ["ok", "note"], "vector_field='embedding'"),
        (TEXTS, {"vector": {768}}, ["ok", "problem"], "768 dimensions; mini makes 384"),
        (TEXTS, {"passages.vector": {384}}, ["ok", "ok"], "passages.vector"),
    ],
)
def test_the_mapping_tells_what_is_in_the_way(types, dimensions, states, told):
    found = field_findings("shop", Fields(types, dimensions), [ENCODER])
    assert [each.state for each in found] == states
    assert told in " ".join(f"{each.detail} {each.advice}" for each in found)
    assert all(each.advice for each in found if each.state != "ok")


def doctor(*arguments: str, expect: int = 0) -> dict[str, dict[str, str]]:
    done = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    assert done.exit_code == expect, f"{done.output}{done.exception!r}"
    return {each["subject"]: each for each in json.loads(done.stdout)}


@pytest.fixture
def engine(tmp_path):
    return EmbeddedEngine(tmp_path)


@pytest.fixture
async def filled(engine):
    for index, dimensions in (("teas", 384), ("others", 3)):
        await engine.create_index(index, IndexDefinition(dimensions))
        vector = (1.0, *[0.0] * (dimensions - 1))
        await engine.index_documents(index, [Document("tea", {"title": "Tea", "text": "A test of tea."}, vector)])
        await engine.refresh(index)
    return f"embedded:{engine.path}"


def test_an_index_that_can_be_searched_is_searched(filled, sidecar_address):
    found = doctor("--engine", filled, "--sidecar", sidecar_address, "--index", "teas")
    assert found["fields of teas"]["state"] == "ok"
    assert found["search of teas"]["detail"].startswith("1 candidate by bm25 and knn, rescored by ")


def test_vectors_of_another_length_are_a_problem(filled, sidecar_address):
    found = doctor("--engine", filled, "--sidecar", sidecar_address, "--index", "others", expect=1)
    assert "3 dimensions" in found["vectors of others"]["detail"]


def test_an_index_that_is_not_there_is_a_problem(filled, sidecar_address):
    found = doctor("--engine", filled, "--sidecar", sidecar_address, "--index", "none", expect=1)
    assert found["index none"]["state"] == "problem"


def test_the_library_works_with_opensearch_without_ml_commons(sidecar_address):
    hit = {"_index": "shop", "_id": "a", "_score": 1.0, "_source": {"title": "Tea"}}
    found = {"hits": {"hits": [hit]}, "_shards": {"total": 1, "successful": 1}}
    properties = {name: {"type": kind} for name, kind in TEXTS.items()}

    def reply(asked):
        answers = {
            "/shop/_mapping": {"shop": {"mappings": {"properties": properties}}},
            "/_msearch": {"responses": [found]},
            "/shop/_search": found,
            "/_analyze": {"tokens": []},
        }
        if asked.path.startswith("/_nodes"):
            return Reply(200, {"nodes": {"n": {"version": "3.6.0", "roles": ["data"]}}})
        if asked.path.startswith("/_plugins"):
            return Reply(400, {"error": f"no handler found for uri [{asked.path}]"})
        if asked.path.startswith("/_cluster/settings"):
            return Reply(200, {"persistent": {}, "transient": {}, "defaults": {}})
        return Reply(200, answers.get(asked.path, {}))

    with fake_engine(reply) as server:
        told = doctor("--engine", server.url, "--sidecar", sidecar_address, "--index", "shop")
    assert told["search of shop"]["detail"].startswith("1 candidate by bm25")
    assert not [each for each in told.values() if each["state"] == "problem"]
