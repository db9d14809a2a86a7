"""Every reranker passes the same contract; what is special to one comes after it."""

import numpy as np
import pytest

from hybridrank.sidecar.rerankers.token_overlap import TokenOverlapReranker
from hybridrank.sidecar.runtime.maxsim import maxsim
from hybridrank.sidecar.types import TextKind
from tests.contracts.reranker import PASSAGES, QUERY, RerankerContract, TrainedRerankerContract

# Dynamic int8 takes one scale for a whole batch, so a batch-mate moves a logit: by up to 1.02 was measured on 100
# pairs. A pair alone has its own scale and no padding, and its score is the same to the last bit.
SAME_TO_THE_LAST_BIT = 0.0


class TestTokenOverlap(RerankerContract):
    @pytest.fixture
    def reranker(self):
        return TokenOverlapReranker()


class TestTinyCrossEncoder(RerankerContract):
    @pytest.fixture
    def reranker(self, tiny):
        return tiny.get("tiny-cross-encoder").reranker


class TestTinyColbert(RerankerContract):
    @pytest.fixture
    def reranker(self, tiny):
        return tiny.get("tiny-encoder").reranker


class TestShippedCrossEncoder(TrainedRerankerContract):
    same_alone = SAME_TO_THE_LAST_BIT

    @pytest.fixture
    def reranker(self, shipped):
        return shipped.get("cross-encoder").reranker


class TestShippedColbert(TrainedRerankerContract):
    same_alone = SAME_TO_THE_LAST_BIT

    @pytest.fixture
    def reranker(self, shipped):
        return shipped.get("colbert").reranker

    def test_scores_are_means_of_cosines(self, reranker):
        scores = self.score(reranker, QUERY, PASSAGES)
        assert scores.min() >= -1
        assert scores.max() <= 1

    def test_a_passage_equal_to_the_query_scores_one(self, reranker):
        assert self.score(reranker, QUERY, [QUERY])[0] == pytest.approx(1, abs=1e-5)

    def test_a_passage_without_tokens_scores_lowest(self, reranker):
        assert self.score(reranker, QUERY, [""]).tolist() == [-1]


def test_the_shipped_int8_models_are_computed_a_text_at_a_time(shipped, tiny):
    assert {model.info.name: model.reranker.batches for model in shipped} == dict.fromkeys(
        ("cross-encoder-minilm-l6", "cross-encoder-nano", "encoder-minilm-l6"), False
    )
    assert [model.reranker.batches for model in tiny] == [True, True]


def test_colbert_leaves_special_tokens_out(tiny):
    reranker, encoder = tiny.get("tiny-encoder").reranker, tiny.encoder("tiny-encoder")
    query, passage = encoder.tokenize_texts(["what is", "the query"], TextKind.DOCUMENT)
    rows = encoder.token_rows([query, passage])
    assert [len(each) for each in rows] == [2, 2]
    (score,) = reranker.score(reranker.tokenize("what is", ["the query"]))
    assert score == pytest.approx(maxsim(rows[0], rows[1:])[0], abs=1e-6)


def test_one_batch_may_hold_pairs_of_several_queries(tiny):
    reranker = tiny.get("tiny-encoder").reranker
    pairs = [*reranker.tokenize("what is", ["the query"]), *reranker.tokenize("rank", ["the query"])]
    alone = [reranker.score([pair])[0] for pair in pairs]
    assert alone[0] != alone[1]
    np.testing.assert_allclose(reranker.score(pairs), alone, atol=1e-5)


def test_vectors_have_unit_length_and_ignore_batch_mates(tiny):
    encoder = tiny.encoder("tiny-encoder")
    sequences = encoder.tokenize_texts(["the query", "", "what is rank " * 10], TextKind.DOCUMENT)
    together = encoder.embed(sequences)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(together, [encoder.embed([one])[0] for one in sequences], atol=1e-5)
