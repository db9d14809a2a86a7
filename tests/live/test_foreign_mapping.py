"""Filters on an index that others made, on each real server."""

import uuid

import pytest

from hybridrank.connector import HybridSearch, SearchFailed, SearchRequest, connect_engine
from hybridrank.connector.queries.filters import Not, Range, Term, Terms
from hybridrank.connector.types import Document

MAPPING = {
    "title": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
    "price": {"type": "long"},
    "cost": {"type": "alias", "path": "price"},
    "since": {"type": "date"},
    "address": {"type": "ip"},
    "weight": {"type": "float"},
}
DOCUMENTS = {
    "a": {"title": "Green tea", "price": 5, "since": "2024-05-01T10:00:00Z", "address": "10.0.0.7", "weight": 5.1},
    "b": {"title": "Tea", "price": 7, "since": "2024-05-02", "address": "11.0.0.7", "weight": 0.3},
}


@pytest.fixture
async def shop(engine_url):
    engine = await connect_engine(engine_url)
    index = f"test-{uuid.uuid4().hex[:12]}"
    await engine.request("PUT", f"/{index}", {"mappings": {"properties": MAPPING}})
    for doc_id, source in DOCUMENTS.items():
        await engine.request("PUT", f"/{index}/_doc/{doc_id}?refresh=true", source)
    yield engine, index
    await engine.delete_index(index)
    await engine.close()


async def found(engine, index, *filters):
    request = SearchRequest(index=index, query_text="tea", retrievers=("bm25",), fields={"title": 1.0}, filters=filters)
    return {hit.doc_id for hit in (await HybridSearch(engine).search(request)).hits}


async def test_filters_go_by_the_types_that_others_gave(shop):
    for each, passing in [
        (Term("title", "Tea"), {"b"}),
        (Not(Terms("title", ("Tea", "Green tea"))), set()),
        (Term("price", "007"), {"b"}),
        (Range("cost", gte=6), {"b"}),
        (Term("since", "2024-05-01"), {"a"}),
        (Range("since", gte="2024-05-01T12:00:00Z"), {"b"}),
        (Range("since", lt=2024), set()),
        (Term("address", "10.0.0.0/8"), {"a"}),
        (Term("weight", 5.1), {"a"}),
        (Term("weight", "0.3"), {"b"}),
        (Term("_index", shop[1]), {"a", "b"}),
    ]:
        assert (each, await found(*shop, each)) == (each, passing)
    for each in (Range("price", gte=5.2, lt=6), Term("price", 5.5), Term("price", "cheap")):
        with pytest.raises(SearchFailed, match="'price'"):
            await found(*shop, each)
    with pytest.raises(SearchFailed, match="failed to parse date"):
        await found(*shop, Term("since", "yesterday"))


async def test_a_number_that_the_index_would_cut_is_rejected_by_name(shop):
    engine, index = shop
    report = await engine.index_documents(
        index, [Document("c", {"title": "tea", "price": 5.5}), Document("d", {"title": "tea", "price": 6})]
    )
    assert [each.doc_id for each in report.rejected] == ["c"]
    assert "'price' is of type long" in report.rejected[0].reason


async def test_a_field_of_two_types_in_two_indices_is_refused(shop):
    engine, index = shop
    other = f"{index}-other"
    await engine.request("PUT", f"/{other}", {"mappings": {"properties": MAPPING | {"price": {"type": "keyword"}}}})
    try:
        with pytest.raises(SearchFailed, match=r"'price'.*one by one"):
            await found(engine, f"{index},{other}", Term("price", 7))
        assert await found(engine, f"{index},{other}", Term("title", "Tea")) == {"b"}
    finally:
        await engine.delete_index(other)
