"""Contract of engines with sparse vectors, as tests: subclass it and provide `engine` and `index` fixtures."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from hybridrank.connector.errors import EngineError
from hybridrank.connector.queries.filters import Term
from hybridrank.connector.queries.retrievers import SparseQuery
from hybridrank.connector.types import Document
from hybridrank.index_templates import EncoderNote, IndexDefinition

SPLADE = EncoderNote("splade", "digest-of-splade")
DEFINITION = IndexDefinition(dimensions=3, encoder=EncoderNote("encoder", "digest"), sparse=SPLADE)
TOKENS = ["tea", "##s", ".", "..", "10.5", "a.b", "Ġtea", "搜", "*", '"', "\\", "é", "_", "the", "of"]
ROUNDING = 2**-8  # servers keep 8 bits of a weight behind the first one


def vectors(count: int = 60, seed: int = 11) -> dict[str, dict[str, float]]:
    """doc_id → sparse vector with weights that no server can hold exactly."""
    chance = random.Random(seed)
    return {
        f"d{number:02}": {token: chance.uniform(0.01, 3.0) for token in chance.sample(TOKENS, chance.randint(1, 8))}
        for number in range(count)
    }


VECTORS = vectors()
QUERY = {"tea": 1.25, ".": 0.7, "a.b": 1.9, "搜": 0.33, "nowhere": 2.0, '"': 0.5}


def exact(query: dict[str, float]) -> dict[str, float]:
    """The dot product of each document that shares a token."""
    scores = {key: sum(query[token] * each.get(token, 0.0) for token in query) for key, each in VECTORS.items()}
    return {key: score for key, score in scores.items() if score}


def sparse(weights=QUERY, *, window: int = 100, filters=(), encoder=SPLADE, field="sparse_vector") -> SparseQuery:
    return SparseQuery(weights, field, rank_window_size=window, filters=tuple(filters), encoder=encoder)


class SparseContract:
    """The meaning of a search by sparse vectors, on every engine."""

    rounding = ROUNDING

    @pytest.fixture
    async def with_sparse(self, engine, index):
        documents = [
            Document(
                key, {"title": key, "kind": "even" if int(key[1:]) % 2 == 0 else "odd"}, (1.0, 0.0, 0.0), sparse=each
            )
            for key, each in VECTORS.items()
        ]
        await engine.create_index(index, DEFINITION)
        report = await engine.index_documents(index, [*documents, Document("none", {"title": "no vector"})])
        assert (report.indexed, report.rejected) == (61, ())
        await engine.refresh(index)
        yield engine
        await engine.delete_index(index)

    async def found(self, engine, index, query):
        answer = (await engine.retrieve(index, {"sparse": query}))["sparse"]
        if isinstance(answer, EngineError):
            raise answer
        return answer.ranking

    async def test_the_ranking_is_that_of_dot_products(self, with_sparse, index):
        ranking, wanted = await self.found(with_sparse, index, sparse()), exact(QUERY)
        assert {each.doc_id for each in ranking} == wanted.keys()
        for each in ranking:
            assert wanted[each.doc_id] * (1 - self.rounding) - 1e-5 <= each.score <= wanted[each.doc_id] + 1e-5
        scores = [wanted[each.doc_id] for each in ranking]
        assert all(later <= earlier * (1 + self.rounding) + 1e-5 for earlier, later in pairwise(scores))

    async def test_filters_and_the_window_limit_it(self, with_sparse, index):
        even = {key: score for key, score in exact(QUERY).items() if int(key[1:]) % 2 == 0}
        ranking = await self.found(with_sparse, index, sparse(filters=[Term("kind", "even")]))
        assert {each.doc_id for each in ranking} == even.keys()
        (first, second) = await self.found(with_sparse, index, sparse(filters=[Term("kind", "even")], window=2))
        assert (first.doc_id, second.doc_id) == tuple(each.doc_id for each in ranking[:2])

    async def test_no_document_matches_a_query_without_its_tokens(self, with_sparse, index):
        assert await self.found(with_sparse, index, sparse({})) == ()
        assert await self.found(with_sparse, index, sparse({"nowhere": 1.0})) == ()

    async def test_hits_have_no_sparse_vectors(self, with_sparse, index):
        assert "sparse_vector" not in (await self.found(with_sparse, index, sparse()))[0].source

    async def test_a_query_of_another_model_or_field_is_refused(self, with_sparse, index):
        with pytest.raises(EngineError, match=r"holds vectors of splade .* and the query was encoded by other"):
            await self.found(with_sparse, index, sparse(encoder=EncoderNote("other", "another-digest")))
        with pytest.raises(EngineError, match="has no field 'nowhere'"):
            await self.found(with_sparse, index, sparse(field="nowhere"))
        with pytest.raises(EngineError, match=r"field 'title' of index .* is of type text, not one of rank_features"):
            await self.found(with_sparse, index, sparse(field="title"))

    async def test_an_index_without_them_is_not_changed_to_have_them(self, engine, index):
        await engine.create_index(index, replace(DEFINITION, sparse=None))
        with pytest.raises(EngineError, match="was made without sparse vectors"):
            await engine.create_index(index, DEFINITION)
        await engine.delete_index(index)

    async def test_another_model_is_refused_before_it_writes(self, with_sparse, index):
        with pytest.raises(EngineError, match=r"field 'sparse_vector' of index .* holds vectors of splade"):
            await with_sparse.create_index(index, replace(DEFINITION, sparse=EncoderNote("other", "another-digest")))

    async def test_writing_without_them_is_refused(self, with_sparse, index):
        with pytest.raises(
            EngineError, match=r"holds sparse vectors of splade .*, which .* lose; say `--sparse splade`"
        ):
            await with_sparse.create_index(index, replace(DEFINITION, sparse=None))
