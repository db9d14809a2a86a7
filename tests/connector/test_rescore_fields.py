"""Fields that a reranker reads on an index whose fields have other names than ours."""

import pytest

from hybridrank.connector import Hit, HybridSearch, Misconfigured, Rescore, SearchRequest
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.mapping.fields import read
from hybridrank.connector.stages.texts import passages, text_faults, text_fields
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition
from tests.doubles import WordSidecar

FOREIGN = read(
    {
        "shop": {
            "mappings": {
                "properties": {
                    "name": {"type": "text", "fields": {"exact": {"type": "text"}, "keyword": {"type": "keyword"}}},
                    "body": {"type": "text", "copy_to": "everything"},
                    "remark": {"type": "text", "copy_to": ["everything"]},
                    "everything": {"type": "text"},
                    "label": {"type": "alias", "path": "name"},
                    "author": {"properties": {"name": {"type": "text"}}},
                    "price": {"type": "float"},
                }
            }
        }
    }
)


def paths(fields=None, *, own=()) -> tuple[str, ...]:
    request = SearchRequest(index="shop", query_text="tea", fields=fields or {})
    return text_fields(own or tuple(request.fields), FOREIGN)


def test_a_reranker_reads_the_fields_that_the_request_searches():
    assert paths({"name": 2.0, "body": 1.0}) == ("name", "body")
    assert paths({"body": 1.0}, own=("name",)) == ("name",)


def test_a_subfield_is_read_from_its_field_once():
    assert paths({"name": 1.0, "name.exact": 2.0, "body": 1.0}) == ("name", "body")
    assert paths({"author.name": 1.0}) == ("author.name",)


def test_an_alias_and_copies_are_read_where_documents_hold_them():
    assert paths({"label": 1.0}) == ("name",)
    assert paths({"everything": 1.0}) == ("everything", "body", "remark")


def test_a_pattern_stands_for_text_fields():
    assert paths({"*name": 1.0}) == ("name", "author.name")


def test_without_fields_those_the_index_was_made_with_are_read():
    noted = {"hybridrank": {"boosts": {"name": 2.0, "body.prefix": 0.5}}}
    body = {"type": "text", "fields": {"prefix": {"type": "text"}}}
    made = read({"shop": {"mappings": {"_meta": noted, "properties": {"name": {"type": "text"}, "body": body}}}})
    assert text_fields((), made) == ("name", "body")
    assert text_fields((), FOREIGN) == ("title", "text")


@pytest.fixture
async def shop(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("shop", IndexDefinition(dimensions=2, text_fields=("name", "body")))
    documents = [
        Document("one", {"name": "Green tea", "body": "hot water"}, (1.0, 0.0)),
        Document("two", {"name": "Black tea", "body": "hot milk"}, (0.9, 0.1)),
    ]
    await engine.index_documents("shop", documents)
    return engine


def request(**changes) -> SearchRequest:
    asked = {"index": "shop", "query_text": "tea hot milk", "query_vector": (1.0, 0.0), "fields": {"body": 1.0}}
    return SearchRequest(**asked | changes)


async def test_a_foreign_index_is_reranked_without_naming_fields_again(shop):
    found = await HybridSearch(shop, WordSidecar()).search(request(rescore=Rescore(model="words", weight=1)))
    assert found.degraded == ()
    assert [(hit.doc_id, hit.rerank_score) for hit in found.hits] == [("two", 2.0), ("one", 1.0)]
    named = {"name": 1.0, "body": 1.0}
    found = await HybridSearch(shop, WordSidecar()).search(
        request(fields=named, rescore=Rescore(model="words", weight=1))
    )
    assert [hit.rerank_score for hit in found.hits] == [3.0, 2.0]


async def test_a_field_that_no_index_has_is_named_and_others_are_read(shop):
    wrong = Rescore(model="words", weight=1, fields=("boddy", "name"))
    found = await HybridSearch(shop, WordSidecar()).search(request(rescore=wrong))
    ((lack),) = found.degraded
    assert (lack.stage, lack.reason, lack.configuration) == ("rescore", "bad_field", True)
    assert "'boddy'" in lack.detail
    assert "scored by the other fields" in lack.detail
    assert [hit.rerank_score for hit in found.hits] == [1.0, 1.0]
    with pytest.raises(Misconfigured, match="no field 'boddy'"):
        await HybridSearch(shop, WordSidecar()).search(request(strict=True, rescore=wrong))


async def test_a_wrong_field_of_the_request_is_found_without_bm25_too(shop):
    knn = request(retrievers=("knn",), fields={"boddy": 1.0}, rescore=Rescore(model="words"), strict=True)
    with pytest.raises(Misconfigured, match="no field 'boddy'"):
        await HybridSearch(shop, WordSidecar()).search(knn)


def test_default_fields_an_index_lacks_say_where_to_name_others():
    window = [Hit("one", 1, 1.0, 1, 1.0, {}, source={"name": "Tea"}, final_score=1.0)]
    texts = passages(window, text_fields((), FOREIGN))
    ((reason, sentence),) = text_faults((), "shop", FOREIGN, window, texts)
    assert reason == "bad_field"
    assert "none of the fields title, text" in sentence
    assert "`fields` of the request or of Rescore" in sentence
    assert "it has author, author.name, body" in sentence


async def test_fields_without_text_in_the_window_are_no_wrong_fields(shop):
    await shop.index_documents("shop", [Document("three", {"name": "Cake"}, (0.0, 1.0))])
    await shop.refresh("shop")
    asked = request(query_text="cake", retrievers=("bm25",), fields={"name": 1.0}, strict=True)
    stage = Rescore(model="words", fields=("body",))
    found = await HybridSearch(shop, WordSidecar()).search(asked.model_copy(update={"rescore": stage}))
    assert [(each.reason, each.configuration) for each in found.degraded] == [("no_values", False)]
    assert found.hits[0].rerank_score is None
