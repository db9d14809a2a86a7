"""Strict searches: a wrong configuration is an error, what passes by itself degrades."""

import pytest

from hybridrank.connector import (
    ConnectorError,
    FeatureRescore,
    HybridSearch,
    InvalidRequest,
    Misconfigured,
    ModelMissing,
    Rescore,
    SearchFailed,
    SearchRequest,
    SidecarMissing,
    SidecarRefused,
    SidecarTimeout,
    UnreadableText,
)
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.errors import EngineTimeout
from hybridrank.connector.queries.filters import Term
from hybridrank.connector.types import Degraded, Document
from hybridrank.index_templates import IndexDefinition
from hybridrank.ltr_features import FeatureSet
from tests.contracts.passages import PASSAGES
from tests.doubles import WORDS, BrokenSidecar, FailingRetriever, WordSidecar

PRICES = FeatureSet.model_validate({"name": "prices", "features": [{"name": "p", "kind": "number", "field": "prize"}]})


@pytest.fixture
async def engine(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("menu", IndexDefinition(dimensions=len(WORDS)))
    texts = [f"{each.source['title']} {each.source['text']}" for each in PASSAGES]
    encodings = await WordSidecar().encode(texts, model="", kind="document", timeout_s=1)
    documents = [
        Document(each.doc_id, each.source, encoding.vector) for each, encoding in zip(PASSAGES, encodings, strict=True)
    ]
    await engine.index_documents("menu", documents)
    await engine.refresh("menu")
    return engine


def request(**changes) -> SearchRequest:
    return SearchRequest(**{"index": "menu", "query_text": "hot tea with milk"} | changes)


MISTAKES = {
    "a field of bm25": ({"fields": {"titel": 1.0}}, None, "bm25", "bad_field"),
    "the vector field": ({"vector_field": "vektor"}, None, "knn", "bad_field"),
    "the vector's length": ({"query_vector": (1.0, 0.0)}, None, "knn", "bad_field"),
    "a highlighted field": ({"highlight": ("txet",)}, None, "highlight", "bad_field"),
    "aggregations without an engine for them": (
        {"aggregations": {"kinds": {"terms": {"field": "kind"}}}},
        None,
        "aggregations",
        "unsupported",
    ),
    "a field of a feature": ({"rescore": FeatureRescore(feature_set=PRICES)}, None, "rescore", "bad_field"),
    "the encoder": ({}, BrokenSidecar(ModelMissing("no such"), encoding=True), "encode", "model_missing"),
    "the reranker": (
        {"rescore": Rescore(model="m")},
        BrokenSidecar(ModelMissing("no such"), rescoring=True),
        "rescore",
        "model_missing",
    ),
    "a model of another kind": (
        {"rescore": Rescore(model="m")},
        BrokenSidecar(InvalidRequest("a forest"), rescoring=True),
        "rescore",
        "invalid",
    ),
    "the key": ({}, BrokenSidecar(SidecarRefused("no key"), encoding=True), "encode", "refused"),
    "token vectors that nobody stored": (
        {"rescore": Rescore(model="m", token_vectors=True)},
        None,
        "rescore",
        "token_vectors",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_strict_search_raises_what_is_misconfigured(engine, mistake):
    changes, sidecar, stage, reason = MISTAKES[mistake]
    with pytest.raises(Misconfigured) as caught:
        await HybridSearch(engine, sidecar or WordSidecar()).search(request(strict=True, **changes))
    assert (stage, reason) in [(each.stage, each.reason) for each in caught.value.faults]
    assert f"{stage}: " in str(caught.value)
    assert isinstance(caught.value, ConnectorError)


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_lenient_search_says_what_is_configuration(engine, mistake):
    changes, sidecar, stage, reason = MISTAKES[mistake]
    response = await HybridSearch(engine, sidecar or WordSidecar()).search(request(**changes))
    assert (stage, reason, True) in [(each.stage, each.reason, each.configuration) for each in response.degraded]
    assert response.hits


async def test_a_strict_search_degrades_for_what_passes_by_itself(engine):
    slow = BrokenSidecar(SidecarTimeout("too slow"), encoding=True, rescoring=True)
    response = await HybridSearch(engine, slow).search(request(strict=True, rescore=Rescore(model="m")))
    assert [(each.stage, each.configuration) for each in response.degraded] == [("encode", False), ("rescore", False)]
    failing = FailingRetriever(engine, {"knn": EngineTimeout("slow shard", reason="timeout")})
    response = await HybridSearch(failing, WordSidecar()).search(request(strict=True))
    assert [(each.stage, each.configuration) for each in response.degraded] == [("knn", False)]


async def test_a_query_no_model_can_read_is_no_misconfiguration(engine):
    mute = BrokenSidecar(UnreadableText("query: has nothing that m can read"), rescoring=True)
    response = await HybridSearch(engine, mute).search(request(strict=True, rescore=Rescore(model="m")))
    assert [(each.reason, each.configuration) for each in response.degraded] == [("unreadable", False)]


@pytest.mark.parametrize("strict", [True, False])
async def test_a_query_that_no_retriever_can_run_always_fails(engine, strict):
    wrong = request(strict=strict, fields={"titel": 1.0}, query_vector=(1.0,))
    with pytest.raises(SearchFailed, match=r"'titel'.*dimensions"):
        await HybridSearch(engine).search(wrong)


async def test_all_faults_of_a_stage_are_named_at_once(engine):
    stages = (FeatureRescore(feature_set=PRICES), Rescore(model="m", token_vectors=True))
    with pytest.raises(Misconfigured, match=r"'prize'.*no token vectors") as caught:
        await HybridSearch(engine, WordSidecar()).search(request(strict=True, rescore=stages))
    assert len(caught.value.faults) == 2


async def test_a_missing_sidecar_is_in_the_error_tree(engine):
    with pytest.raises(SidecarMissing, match="query_vector"):
        await HybridSearch(engine).search(request())
    with pytest.raises(SidecarMissing, match="'words' needs a sidecar"):
        await HybridSearch(engine).search(request(retrievers=("bm25",), rescore=Rescore(model="words")))
    assert issubclass(SidecarMissing, ConnectorError)


async def test_a_fault_of_several_retrievers_is_told_once(engine):
    wrong = request(filters=(Term("prise", 5),))
    said = (
        r"^bm25, knn: index 'menu' has no field 'prise'; its fields: (?!.*\b(content_digest|vector)\b)"
        r".*; did you mean price\?$"
    )
    with pytest.raises(SearchFailed, match=said):
        await HybridSearch(engine, WordSidecar()).search(wrong)
    faults = [Degraded(part, "bad_field", "no such field", configuration=True) for part in ("bm25", "knn")]
    assert str(Misconfigured(faults)) == "bm25, knn: no such field"
