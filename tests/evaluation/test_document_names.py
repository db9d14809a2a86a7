"""Judgments and runs: by id in one index, by index/id in several, and never by an id that may be either's."""

import pytest

from hybridrank.connector import HybridSearch, SearchRequest
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.types import Document, DocumentKey
from hybridrank.evaluation.collections.document_names import AmbiguousId, DocumentNames
from hybridrank.evaluation.experiments.configuration import Configuration
from hybridrank.evaluation.experiments.experiment import run_pipeline
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.evaluation.measures.standard import evaluate
from hybridrank.evaluation.tuning.memory import RememberingSearch
from hybridrank.evaluation.tuning.tune import measured_on
from hybridrank.index_templates import IndexDefinition
from tests.doubles import WordSidecar
from tests.several import Alias

SETTINGS = PipelineSettings(size=10)
SHOPS = {"de": {"1": "hot tea", "2": "milk"}, "en": {"1": "sugar", "2": "tea tea tea"}}
ONE, TWO = DocumentNames("shop", ("de",)), DocumentNames("shop", ("de", "en"))


@pytest.fixture
async def shops(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    for index, texts in SHOPS.items():
        await engine.create_index(index, IndexDefinition(dimensions=8))
        await engine.index_documents(
            index, [Document(each, {"title": "", "text": text}) for each, text in texts.items()]
        )
    return Alias(engine, SHOPS)


def test_in_one_index_a_document_goes_by_its_id():
    assert ONE.name(DocumentKey("de", "a/b")) == "a/b"
    assert ONE.key("a/b") == DocumentKey("de", "a/b")
    ONE.check_qrels({"q": {"1": 1}})


def test_a_name_stays_when_an_alias_moves_to_another_index():
    assert ONE.name(DocumentKey("de-v2", "1")) == "1"


def test_in_several_indices_a_document_goes_by_index_and_id():
    for key in (DocumentKey("de", "1"), DocumentKey("en", "a/b")):
        assert TWO.key(TWO.name(key)) == key
    TWO.check_qrels({"q": {"de/1": 1, "en/1": 0}})


@pytest.mark.parametrize("name", ["1", "fr/1", "de/", "/1", ""])
def test_an_id_that_may_be_in_several_indices_is_an_error(name):
    with pytest.raises(AmbiguousId, match="'shop' stands for de, en, so write index/id, such as de/"):
        TWO.check_qrels({"q": {"de/1": 1, name: 1}})


async def test_a_run_over_several_indices_is_measured_by_index_and_id(shops):
    run = await run_pipeline(HybridSearch(shops), parse_pipeline("bm25"), "shop", {"q": "tea"}, SETTINGS)
    assert run.rankings == {"q": ("en/2", "de/1")}
    assert evaluate({"q": {"en/2": 1}}, run.rankings, ["ndcg@10"]).mean == {"ndcg@10": 1.0}
    assert evaluate({"q": {"de/2": 1}}, run.rankings, ["ndcg@10"]).mean == {"ndcg@10": 0.0}
    alone = await run_pipeline(HybridSearch(shops.inner), parse_pipeline("bm25"), "de", {"q": "tea"}, SETTINGS)
    assert alone.rankings == {"q": ("1",)}


async def test_tuning_uses_document_names_and_remembers_each_document(shops):
    search = RememberingSearch(shops, WordSidecar())
    asked = {"index": "shop", "query_text": "tea", "retrievers": ("bm25",), "size": 10}
    for _ in range(2):
        hits = (await search.search(SearchRequest(**asked))).hits
        assert {str(hit.key): hit.source["text"] for hit in hits} == {"en/2": "tea tea tea", "de/1": "hot tea"}
    configuration = Configuration(retrievers=("bm25",))
    values = measured_on(search, "shop", {"q": "tea"}, {"q": {"en/2": 1}}, "ndcg@10", SETTINGS)
    assert await values(configuration) == {"q": 1.0}
    with pytest.raises(AmbiguousId):
        await measured_on(search, "shop", {"q": "tea"}, {"q": {"2": 1}}, "ndcg@10", SETTINGS)(configuration)
