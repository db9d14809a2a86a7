"""Texts longer than a reranker reads: a search has the windows of them scored, as far as its budget goes."""

import inspect

import pytest
from pydantic import ValidationError

from hybridrank.connector import HybridSearch, Rescore, SearchRequest, SidecarClient
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.connector.stages.blend import blend
from hybridrank.connector.types import DEFAULT_CHUNKS, MAX_CHUNKS, Document, Hit, RelevanceScore
from hybridrank.index_templates import IndexDefinition
from hybridrank.sidecar import types as sidecar_types
from tests.connector.serving import Answering, result

QUERY = "which animal barks"
RATES = "Interest rates rose again. " * 60  # two windows and more of the cross-encoder that ships
DOCUMENTS = {
    "deep": f"{RATES} A dog barks when someone is at the door. The animal barks at strangers.",
    "rates": f"{RATES} The animal of the year is the otter, which whistles.",
    "cat": "A cat is an animal that purrs.",
}


@pytest.fixture
async def engine(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("zoo", IndexDefinition())
    await engine.index_documents("zoo", [Document(doc_id, {"text": text}) for doc_id, text in DOCUMENTS.items()])
    return engine


async def hits(engine, address: str, **stage) -> dict[str, Hit]:
    rescore = Rescore(**{"model": "cross-encoder", "weight": 1, "timeout_s": 30} | stage)
    async with SidecarClient(address) as client:
        response = await HybridSearch(engine, client).search(
            SearchRequest(index="zoo", query_text=QUERY, retrievers=("bm25",), rescore=rescore)
        )
    assert response.degraded == ()
    return {hit.doc_id: hit for hit in response.hits}


async def test_a_search_finds_what_stands_beyond_the_first_window(engine, sidecar_address):
    found, cut = await hits(engine, sidecar_address), await hits(engine, sidecar_address, max_chunks=1)
    assert found["deep"].rank == 1
    assert cut["deep"].rank > 1
    assert found["deep"].best_chunk == found["deep"].scored_chunks - 1 > 0
    assert not any(hit.truncated for hit in found.values())
    assert {doc_id: (hit.truncated, hit.scored_chunks, hit.best_chunk) for doc_id, hit in cut.items()} == {
        "deep": (True, 1, None),
        "rates": (True, 1, None),
        "cat": (False, 1, None),
    }
    assert cut["cat"].rerank_score == found["cat"].rerank_score


def test_the_default_is_that_of_the_wire():
    assert Rescore(model="m").max_chunks == DEFAULT_CHUNKS == sidecar_types.DEFAULT_CHUNKS
    assert inspect.signature(SidecarClient.rescore).parameters["max_chunks"].default == DEFAULT_CHUNKS
    assert MAX_CHUNKS == sidecar_types.MAX_CHUNKS


@pytest.mark.parametrize("max_chunks", [0, MAX_CHUNKS + 1])
def test_the_number_of_windows_is_bounded(max_chunks):
    with pytest.raises(ValidationError, match="max_chunks"):
        Rescore(model="m", max_chunks=max_chunks)


async def test_a_sidecar_that_says_nothing_of_windows_is_understood(servers):
    async with SidecarClient(await servers.start(Answering([result(0, 1.0)]))) as client:
        scores = await client.rescore("tea", [Passage("a", "tea")], model="m", timeout_s=20)
    assert scores == (RelevanceScore(1.0),)


def test_a_feature_stage_keeps_the_chunks_of_the_text_stage():
    hit = Hit("a", 1, 1.0, 1, 1.0, {}, final_score=1.0)
    (read,) = blend([hit], [RelevanceScore(1.0, best_chunk=2, scored_chunks=3)], weight=1, model="text")
    (counted,) = blend([read], [RelevanceScore(5.0)], weight=1, model="features")
    assert (counted.best_chunk, counted.scored_chunks) == (2, 3)
