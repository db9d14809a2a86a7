"""Further parts of a page: collapsed hits, highlights, counts."""

import pytest

from hybridrank.connector import Hit, HybridSearch, SearchRequest
from hybridrank.connector.arrangement import collapsed, sorted_by
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.types import Document
from tests.contracts.passages import DEFINITION, PASSAGES
from tests.doubles import RecordingEngine


@pytest.fixture
async def engine(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("menu", DEFINITION)
    await engine.index_documents("menu", PASSAGES)
    return engine


def request(**changes) -> SearchRequest:
    return SearchRequest(**{"index": "menu", "query_text": "hot tea", "query_vector": (1.0, 0.2, 0.0)} | changes)


def hit(doc_id: str, rank: int, **source) -> Hit:
    return Hit(doc_id, rank, 1 / rank, rank, 1 / rank, {}, source=source, final_score=1 / rank)


def test_the_best_hit_of_each_value_is_kept():
    hits = [
        hit("a", 1, book="x"),
        hit("b", 2, book="y"),
        hit("c", 3, book="x"),
        hit("d", 4),
        hit("e", 5),
        hit("f", 6, book="z"),
    ]
    kept = collapsed(hits, "book")
    assert [(each.doc_id, each.rank) for each in kept] == [("a", 1), ("b", 2), ("d", 3), ("e", 4), ("f", 5)]
    assert collapsed(hits, None) == tuple(hits)


def test_a_value_may_lie_in_an_object_or_be_a_list():
    hits = [hit("a", 1, book={"id": 7}), hit("b", 2, book={"id": 7}), hit("c", 3, book={"id": "7"})]
    assert [each.doc_id for each in collapsed(hits, "book.id")] == ["a", "c"]
    hits = [hit("a", 1, tags=["x", "y"]), hit("b", 2, tags=["x"]), hit("c", 3, tags=["x", "y"])]
    assert [each.doc_id for each in collapsed(hits, "tags")] == ["a", "b"]


async def test_pages_of_a_collapsed_ranking(engine):
    search = HybridSearch(engine)
    whole = await search.search(request(collapse="kind"))
    assert [hit.source["kind"] for hit in whole.hits] == ["drink", "food", "note"]
    assert whole.total_candidates == 3
    pages = [await search.search(request(collapse="kind", from_=start, size=1)) for start in range(4)]
    assert [each for page in pages for each in page.hits] == [*whole.hits]


class Vanishing(RecordingEngine):
    """A real engine from which documents go, or that fails, between a ranking and its page."""

    def __init__(self, inner, *, gone=(), error=None):
        super().__init__(inner)
        self.gone, self.error = gone, error
        self.pages = []

    async def sources(self, index, keys, source_excludes):
        self.pages.append(tuple(keys))
        if self.error:
            raise self.error
        found = await self.inner.sources(index, keys, source_excludes)
        return {key: source for key, source in found.items() if key.doc_id not in self.gone}


async def test_only_the_page_has_its_sources_fetched_if_no_stage_does(engine):
    watched = Vanishing(engine)
    response = await HybridSearch(watched).search(request(from_=1, size=2))
    assert watched.pages == [tuple(hit.key for hit in response.hits)]
    assert all(hit.source["text"] for hit in response.hits)
    await HybridSearch(watched).search(request(collapse="kind"))
    await HybridSearch(watched).search(request(retrievers=("bm25",), size=100))  # nearly all of what was ranked
    assert len(watched.pages) == 1


async def test_a_document_deleted_before_the_page_keeps_its_place(engine):
    whole = await HybridSearch(engine).search(request())
    response = await HybridSearch(Vanishing(engine, gone=("chai",))).search(request())
    assert [hit.doc_id for hit in response.hits] == [hit.doc_id for hit in whole.hits]
    assert {hit.doc_id for hit in response.hits if not hit.source} == {"chai"}
    ((stage, reason, detail),) = [(each.stage, each.reason, each.detail) for each in response.degraded]
    assert (stage, reason) == ("source", "partial")
    assert "chai" in detail
    everything = tuple(hit.doc_id for hit in whole.hits)
    emptied = await HybridSearch(Vanishing(engine, gone=everything)).search(request())
    assert [each.stage for each in emptied.degraded] == ["source"]


async def test_a_page_without_its_sources_says_so(engine):
    broken = Vanishing(engine, error=EngineError("no room", reason="circuit_breaking_exception"))
    response = await HybridSearch(broken).search(request())
    assert [(each.stage, each.reason) for each in response.degraded] == [("source", "circuit_breaking_exception")]
    assert {hit.doc_id for hit in response.hits} >= {"chai", "tea"}


async def test_only_the_page_is_highlighted(engine):
    response = await HybridSearch(engine).search(request(highlight=("title", "text"), size=1))
    assert response.hits[0].doc_id == "chai"
    assert response.hits[0].highlights == {"text": ("<em>Tea</em> with milk and spices",)}
    assert response.degraded == ()
    assert response.timings.total_ms >= response.timings.page_ms > 0


async def test_a_page_without_its_highlights_says_so(engine):
    response = await HybridSearch(engine).search(request(highlight=("titel",)))
    assert [(each.stage, each.reason) for each in response.degraded] == [("highlight", "bad_field")]
    assert response.hits == (await HybridSearch(engine).search(request())).hits


async def test_an_engine_without_aggregations_says_so(engine):
    counts = {"kinds": {"terms": {"field": "kind"}}}
    response = await HybridSearch(engine).search(request(aggregations=counts))
    assert [(each.stage, each.reason) for each in response.degraded] == [("aggregations", "unsupported")]
    assert response.aggregations == {}
    assert response.hits


def test_sorting_keeps_what_is_equal_as_it_stood():
    hits = [hit("a", 1, price=3), hit("b", 2), hit("c", 3, price=1), hit("d", 4, price=3), hit("e", 5, price=2.5)]
    up, down = (sorted_by(hits, {"price": direction}) for direction in ("asc", "desc"))
    assert [(each.doc_id, each.rank) for each in up] == [("c", 1), ("e", 2), ("a", 3), ("d", 4), ("b", 5)]
    assert [each.doc_id for each in down] == ["a", "d", "e", "c", "b"]
    assert {each.doc_id: each.fused_rank for each in down} == {each.doc_id: each.fused_rank for each in hits}
    assert sorted_by(hits, {}) == tuple(hits)


def test_the_second_field_decides_where_the_first_is_equal():
    hits = [hit("a", 1, kind="x", price=2), hit("b", 2, kind="y", price=1), hit("c", 3, kind="x", price=1)]
    assert [each.doc_id for each in sorted_by(hits, {"kind": "desc", "price": "asc"})] == ["b", "c", "a"]


def test_the_first_of_several_values_in_order_counts():
    hits = [hit("a", 1, sizes=[5, 9]), hit("b", 2, sizes=[7]), hit("c", 3, sizes=[]), hit("d", 4, sizes=["m", 8])]
    assert [each.doc_id for each in sorted_by(hits, {"sizes": "asc"})] == ["a", "b", "d", "c"]
    assert [each.doc_id for each in sorted_by(hits, {"sizes": "desc"})] == ["d", "a", "b", "c"]


async def test_pages_of_a_sorted_ranking_and_a_misspelt_field(engine):
    search = HybridSearch(engine)
    whole = await search.search(request(sort={"price": "desc"}))
    assert whole.degraded == ()
    assert [hit.source.get("price") for hit in whole.hits] == [7, 5, 4, 3, None]
    pages = [await search.search(request(sort={"price": "desc"}, from_=start, size=2)) for start in (0, 2, 4, 6)]
    assert [each for page in pages for each in page.hits] == [*whole.hits]
    wrong = await search.search(request(sort={"prise": "desc"}, collapse="kint"))
    assert [(each.stage, each.reason) for each in wrong.degraded] == [("collapse", "bad_field"), ("sort", "bad_field")]
    assert "has no field 'prise'; its fields: kind, price" in wrong.degraded[1].detail
    assert wrong.hits == (await search.search(request())).hits


async def test_a_field_without_values_in_the_ranking_is_no_wrong_field(engine):
    """It is in the mapping: other rankings have values."""
    soup = request(query_text="vegetables", retrievers=("bm25",), sort={"since": "desc"}, collapse="since", strict=True)
    found = await HybridSearch(engine).search(soup)
    assert [(each.stage, each.reason, each.configuration) for each in found.degraded] == [
        ("collapse", "no_values", False),
        ("sort", "no_values", False),
    ]


async def test_sort_and_collapse_read_values_as_the_field_does(engine):
    prices = {"a": 10, "b": "9.5", "c": "10.0", "d": 9}
    codes = {"a": "10", "b": 9, "c": 10, "d": "x"}
    await engine.create_index("shop", DEFINITION)
    await engine.index_documents(
        "shop",
        [Document(name, {"text": "tea", "price": price, "code": codes[name]}) for name, price in prices.items()],
    )
    tea = request(index="shop", query_text="tea", retrievers=("bm25",), query_vector=None)

    async def found(**asked):
        response = await HybridSearch(engine).search(tea.model_copy(update=asked))
        return [hit.doc_id for hit in response.hits]

    assert await found(sort={"price": "asc"}) == ["d", "b", "a", "c"]
    assert await found(sort={"code": "asc"}) == ["a", "c", "b", "d"]
    assert await found(collapse="price") == ["a", "b", "d"]
    assert await found(collapse="code") == ["a", "b", "d"]


@pytest.mark.parametrize("asked", [{"sort": {"prise": "asc"}}, {"collapse": "kint"}])
async def test_a_misspelt_field_is_said_where_nothing_is_found(engine, asked):
    nothing = request(query_text="zzz", retrievers=("bm25",), **asked)
    found = await HybridSearch(engine).search(nothing)
    assert (found.hits, [each.reason for each in found.degraded]) == ((), ["bad_field"])
