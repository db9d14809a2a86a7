"""A document is its index and its id: documents of two indices that share an id stay two, through every step."""

import json

import pytest

from hybridrank.connector import FeatureRescore, HybridSearch, Rescore, SearchRequest
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.fusion import Rrf, WeightedSum
from hybridrank.connector.queries.retrievers import Bm25Query
from hybridrank.connector.stages.feature_log import FeatureLog, read_feature_log
from hybridrank.connector.types import Candidate, Document, DocumentKey
from hybridrank.index_templates import IndexDefinition
from tests.contracts.passages import feature_set
from tests.doubles import WordSidecar
from tests.several import Alias

SHOPS = {
    "shop-de": {"1": ("Tea from Bremen", "hot tea with milk"), "2": ("Soup", "hot soup")},
    "shop-en": {"1": ("Teapot", "a pot"), "2": ("Milk", "milk and more milk in hot tea")},
}
FEATURES = feature_set(words={"kind": "field_length", "field": "text"}, tea={"kind": "bm25", "fields": ["text"]})


@pytest.fixture
async def shop(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    for index, documents in SHOPS.items():
        await engine.create_index(index, IndexDefinition(dimensions=8))
        sources = {doc_id: {"title": title, "text": text} for doc_id, (title, text) in documents.items()}
        packed = {doc_id: f"{index} {doc_id}".encode() for doc_id in documents}
        vectors = await WordSidecar().encode(
            [each["text"] for each in sources.values()], model="m", kind="document", timeout_s=1
        )
        await engine.index_documents(
            index,
            [
                Document(doc_id, source, encoding.vector, packed[doc_id])
                for (doc_id, source), encoding in zip(sources.items(), vectors, strict=True)
            ],
        )
    return Alias(engine, SHOPS)


def request(**changes) -> SearchRequest:
    return SearchRequest(**{"index": "shop", "query_text": "hot tea milk"} | changes)


def titles(hits) -> dict[DocumentKey, str]:
    return {hit.key: hit.source["title"] for hit in hits}


ALL = {DocumentKey(index, doc_id): title for index, each in SHOPS.items() for doc_id, (title, _) in each.items()}


@pytest.mark.parametrize("fusion", [Rrf(), WeightedSum()])
def test_fusion_keeps_one_id_of_two_indices_apart(fusion):
    rankings = {
        "bm25": (Candidate("1", 1, 2.0, {"of": "en"}, index="shop-en"), Candidate("1", 2, 1.0, index="shop-de")),
        "knn": (Candidate("1", 1, 0.9, index="shop-de"), Candidate("1", 2, 0.8, {"of": "en"}, index="shop-en")),
    }
    fused = fusion.fuse(rankings)
    assert [str(each.candidate.key) for each in fused] == ["shop-de/1", "shop-en/1"]  # equal: ties end in the index
    assert fused[1].candidate.source == {"of": "en"}
    assert [each.retrievers["bm25"].rank for each in fused] == [2, 1]


@pytest.mark.parametrize("size", [1, 4])
async def test_every_hit_of_an_alias_has_its_own_source(shop, size):
    """Read with the ranking (size 4) and for the page alone (size 1)."""
    found = {}
    for start in range(0, 4, size):
        response = await HybridSearch(shop, WordSidecar()).search(request(size=size, from_=start, rank_window_size=9))
        assert response.degraded == ()
        found |= titles(response.hits)
    assert found == {key: ALL[key] for key in found}
    assert {key.index for key in found} == set(SHOPS)


async def test_every_hit_of_an_alias_has_its_own_highlights(shop):
    response = await HybridSearch(shop, WordSidecar()).search(request(highlight=("text",)))
    by_key = {hit.key: hit for hit in response.hits}
    assert "pot" not in str(by_key[DocumentKey("shop-de", "1")].highlights)
    assert by_key[DocumentKey("shop-de", "2")].highlights == {"text": ("<em>hot</em> soup",)}
    assert "more" in by_key[DocumentKey("shop-en", "2")].highlights["text"][0]


async def test_a_reranker_scores_each_document_by_its_own_text(shop):
    stage = Rescore(model="words", weight=1.0, timeout_s=30)
    response = await HybridSearch(shop, WordSidecar()).search(request(rescore=stage))
    wanted = set(request().query_text.split())
    for hit in response.hits:
        words = set(" ".join((hit.source["title"], hit.source["text"])).lower().split())
        assert hit.rerank_score == len(wanted & words)
        assert hit.source["title"] == ALL[hit.key]


async def test_stored_token_vectors_are_those_of_the_document(shop):
    class Recording(WordSidecar):
        async def rescore(self, query_text, passages, **asked):
            self.passages = passages
            return await super().rescore(query_text, passages, **asked)

    sidecar = Recording()
    stage = Rescore(model="words", token_vectors=True, timeout_s=30)
    await HybridSearch(shop, sidecar).search(request(rescore=stage))
    assert len({each.key for each in sidecar.passages}) == len(sidecar.passages) > 2
    for each in sidecar.passages:
        assert each.token_vectors.decode() == f"{each.index} {each.doc_id}"


async def test_features_and_their_log_are_those_of_the_document(shop, tmp_path):
    log = FeatureLog(tmp_path / "log")
    stage = FeatureRescore(feature_set=FEATURES, with_features=True, timeout_s=30)
    response = await HybridSearch(shop, WordSidecar(), feature_log=log).search(request(rescore=stage))
    lengths = {key: float(len(SHOPS[key.index][key.doc_id][1].split())) for key in ALL}
    assert all(hit.features["words"] == lengths[hit.key] for hit in response.hits)
    records = list(read_feature_log(log.folder))
    logged = {DocumentKey(each["index"], each["doc_id"]): each for each in records}
    assert len(logged) == len(records) == len(response.hits)
    for hit in response.hits:
        assert (logged[hit.key]["rank"], logged[hit.key]["features"]["words"]) == (hit.rank, lengths[hit.key])
    assert {each["searched"] for each in records} == {"shop"}


async def test_a_document_that_is_gone_is_named_with_its_index(shop):
    class Emptied(Alias):
        async def sources(self, index, keys, source_excludes):
            return await super().sources(index, [key for key in keys if key.index != "shop-de"], source_excludes)

    response = await HybridSearch(Emptied(shop.inner, shop.names), WordSidecar()).search(request(size=3))
    ((stage, reason, detail),) = [(each.stage, each.reason, each.detail) for each in response.degraded]
    assert (stage, reason) == ("source", "partial")
    assert "shop-de/1" in detail
    assert "shop-en" not in detail
    assert {hit.index for hit in response.hits if not hit.source} == {"shop-de"}


def test_a_key_sorts_by_index_and_then_by_id():
    keys = [DocumentKey("b", "1"), DocumentKey("a", "2"), DocumentKey("a", "10")]
    assert sorted(keys) == [("a", "10"), ("a", "2"), ("b", "1")]
    assert json.dumps(str(keys[0])) == '"b/1"'


async def test_an_embedded_hit_says_its_index(shop):
    (hit, *_) = (await HybridSearch(shop.inner, WordSidecar()).search(request(index="shop-de"))).hits
    assert hit.key == DocumentKey("shop-de", hit.doc_id)
    query = Bm25Query("tea", {"text": 1.0}, rank_window_size=10)
    (candidate,) = (await shop.inner.retrieve("shop-de", {"q": query}))["q"].ranking
    assert candidate.index == "shop-de"
