"""The meaning of filters on every Engine. Subclass FilterContract and provide `engine` and `index` fixtures."""

import pytest

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.queries.filters import Not, Range, Term, Terms
from hybridrank.connector.types import Document
from tests.contracts.passages import DEFINITION, bm25, ids, knn

LONG = "x" * 1025
DOCUMENTS = {
    "a": {"sku": "007", "year": "2020", "price": 5, "new": True, "tags": ["red", "hot"], "shape": {"size": 6.0}},
    "b": {"sku": "8", "year": "2021", "price": 5.5, "new": "false", "tags": ["blue"], "shape": {"size": "6"}},
    "c": {"sku": 7, "price": "6", "tags": [["deep", None]], "long": LONG, "shape": [{"size": 1}, {"new": False}]},
    "d": {"sku": True, "price": [1, 100], "new": None, "tags": [], "long": "short", "big": 2**53 + 1},
}
PASSING = [
    (Term("sku", "007"), "a"),
    (Term("sku", 7), "c"),
    (Term("sku", True), "d"),
    (Term("sku", "true"), "d"),
    (Term("sku", 8.0), ""),
    (Terms("sku", (8, "007")), "ab"),
    (Terms("sku", ()), ""),
    (Not(Term("sku", "007")), "bcd"),
    (Term("price", 5), "a"),
    (Term("price", "5.50"), "b"),
    (Term("price", 6.0), "c"),
    (Terms("price", ("5", 100)), "ad"),
    (Range("price", gte=5.2, lt=6), "b"),
    (Range("price", gte="5.2"), "bcd"),
    (Range("price", gt=5, lte=6), "bc"),
    (Range("price", gte=50, lte=60), ""),
    (Not(Range("price", gte=5.2)), "a"),
    (Range("year", gte="2020", lt="2021"), "a"),
    (Range("year", gt="2020-12-31"), "b"),
    (Term("new", True), "a"),
    (Term("new", "false"), "b"),
    (Not(Term("new", True)), "bcd"),
    (Term("tags", "hot"), "a"),
    (Term("tags", "deep"), "c"),
    (Terms("tags", ("hot", "blue")), "ab"),
    (Term("shape.size", 6.0), "a"),
    (Term("shape.size", 6), "b"),
    (Term("shape.size", 1), "c"),
    (Term("shape.new", False), "c"),
    (Term("shape.none", 1), ""),
    (Term("long", "short"), "d"),
    (Range("long", gte="a"), "d"),
    (Range("big", gt=2**53 - 1), "d"),
    (Term("_id", "b"), "b"),
    (Terms("_id", ("a", "zz")), "a"),
    (Not(Term("_id", "b")), "acd"),
]
REFUSED = [
    (Term("title", "Tea"), "'title'.*analysed text"),
    (Not(Terms("text", ("hot",))), "'text'.*analysed text"),
    (Range("title", gte="a"), "'title'.*analysed text"),
    (Term("price", "cheap"), "'price'.*double.*'cheap'"),
    (Term("price", True), "'price'.*True"),
    (Range("price", gte="cheap"), "'price'.*'cheap'"),
    (Terms("price", (1, "x")), "'price'.*'x'"),
    (Term("new", 1), "'new'.*boolean"),
    (Term("new", "yes"), "'new'.*boolean"),
    (Range("new", gte="false"), "'new'.*no Range"),
    (Range("sku", gte=7), "'sku'.*10 comes before 9"),
    (Term("long", LONG), "'long'.*1024 characters"),
    (Term("big", 2**53 + 1), "'big'.*9007199254740992"),
    (Term("shape", "6"), "'shape'.*FIELD.KEY"),
    (Range("shape.size", gte=4), "'shape.size'.*no range"),
    (Range("_id", gte="a"), "'_id'.*no Range"),
    (Term("vector", 1), "'vector'.*no values"),
    (Term("colour", "red"), "'colour'"),
    (Term("_type", "x"), "'_type'"),
]


class FilterContract:
    """Each test gets an index that holds DOCUMENTS, whose first values decide the types."""

    @pytest.fixture
    async def filtered(self, engine: Engine, index: str):
        await engine.create_index(index, DEFINITION)
        for doc_id, fields in DOCUMENTS.items():
            document = Document(doc_id, {"title": "Tea", "text": "Hot tea", **fields}, (1.0, 0.0, 0.5))
            assert (await engine.index_documents(index, [document])).rejected == ()
        await engine.refresh(index)
        yield engine
        await engine.delete_index(index)

    async def test_a_filter_compares_by_the_type_of_the_field(self, filtered, index):
        queries = {}
        for number, (each, _) in enumerate(PASSING):
            queries |= {f"bm25 {number}": bm25("tea", filters=[each])}
            queries |= {f"knn {number}": knn(1.0, 0.0, 0.0, filters=[each])}
        answers = await filtered.retrieve(index, queries)
        for number, (each, passing) in enumerate(PASSING):
            for retriever in ("bm25", "knn"):
                answer = answers[f"{retriever} {number}"]
                assert not isinstance(answer, EngineError), (each, answer)
                assert (each, "".join(sorted(ids(answer.ranking)))) == (each, passing)

    async def test_a_filter_that_cannot_match_is_refused_by_name(self, filtered, index):
        for each, sentence in REFUSED:
            queries = {"bm25": bm25("tea", filters=[each]), "knn": knn(1.0, 0.0, 0.0, filters=[each])}
            for answer in (await filtered.retrieve(index, queries)).values():
                assert isinstance(answer, EngineError), (each, answer)
                assert answer.reason in ("bad_filter", "bad_field")
                with pytest.raises(EngineError, match=sentence):
                    raise answer

    @pytest.mark.parametrize(
        "fields",
        [
            {"price": "cheap"},
            {"price": True},
            {"new": 1},
            {"new": "yes"},
            {"sku": {"a": 1}},
            {"shape": "round"},
            {"fresh": [1, "x"]},
        ],
        ids=str,
    )
    async def test_a_document_of_another_type_is_rejected(self, filtered, index, fields):
        (name,) = fields
        odd = Document("odd", {"title": "Tea", "text": "", **fields})
        report = await filtered.index_documents(index, [odd, Document("even", {"title": "Tea", "text": ""})])
        assert (report.indexed, [each.doc_id for each in report.rejected]) == (1, ["odd"])
        assert name in report.rejected[0].reason
        assert await filtered.refresh(index) == len(DOCUMENTS) + 1
