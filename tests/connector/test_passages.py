"""Passages that a model reads of a document, wherever in it the fields are."""

from hybridrank.common.field_paths import field_values
from hybridrank.connector import HybridSearch, Rescore, SearchRequest
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.types import Document
from tests.contracts.passages import DEFINITION
from tests.doubles import WordSidecar


def test_values_are_read_from_objects_lists_and_dotted_names():
    source = {"a": {"b": [{"c": 1}, {"c": [2, 3]}, {}]}, "x.y": 4, "none": None, "empty": []}
    assert field_values(source, "a.b.c") == [1, 2, 3]
    assert field_values(source, "x.y") == [4]
    assert [field_values(source, name) for name in ("none", "empty", "a.b.d", "z", "x.y.z")] == [[]] * 5


async def test_a_model_reads_objects_and_lists_and_reports_no_text(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("books", DEFINITION)
    notes = {"one": "cold milk", "two": "green tea with milk"}
    await engine.index_documents(
        "books",
        [Document(name, {"text": "a book", "notes": [{"by": "Ann", "says": said}]}) for name, said in notes.items()],
    )
    rescore = Rescore(model="words", fields=("notes.says",), weight=1)
    request = SearchRequest(index="books", query_text="book of green tea", retrievers=("bm25",), rescore=rescore)
    search = HybridSearch(engine, WordSidecar())
    response = await search.search(request)
    assert [hit.doc_id for hit in response.hits] == ["two", "one"]
    assert response.hits[0].rerank_score > response.hits[1].rerank_score
    misspelt = rescore.model_copy(update={"fields": ("notes.sais",)})
    response = await search.search(request.model_copy(update={"rescore": misspelt}))
    ((stage, reason, detail),) = ((each.stage, each.reason, each.detail) for each in response.degraded)
    assert (stage, reason) == ("rescore", "no_values")  # no mapping knows the keys of an object that is kept flat
    assert "notes.sais" in detail
    assert [hit.rerank_score for hit in response.hits] == [None, None]
