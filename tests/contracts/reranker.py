"""Contract of every reranker, as tests: subclass it and provide a `reranker` fixture."""

import numpy as np
import pytest

QUERY = "how do vaccines protect against measles"
PASSAGES = (
    "Measles vaccines protect: they teach the immune system to know the virus.",
    "The stock market fell by two per cent on Tuesday.",
    "A vaccine protects against a disease such as measles without causing it.",
    "",
    "😀 ⛄ 🏔️",
    "measles " * 700,
)


class RerankerContract:
    """A reranker scores each pair by itself, whatever the pair is and whoever stands beside it.

    A test class has a fixture `reranker`.
    """

    same_alone = 1e-5  # how far a score may move among batch-mates

    def score(self, reranker, query, passages) -> np.ndarray:
        """Scores as the sidecar computes them: in batches only where the reranker allows it."""
        pairs = reranker.tokenize(query, passages)
        if reranker.batches:
            return reranker.score(pairs)
        return np.concatenate([reranker.score([pair]) for pair in pairs])

    def test_every_passage_gets_a_finite_score(self, reranker):
        scores = self.score(reranker, QUERY, PASSAGES)
        assert scores.shape == (len(PASSAGES),)
        assert np.isfinite(scores).all()

    def test_a_passage_scores_the_same_alone_and_among_others(self, reranker):
        together = self.score(reranker, QUERY, PASSAGES)
        alone = [self.score(reranker, QUERY, [passage])[0] for passage in PASSAGES]
        np.testing.assert_allclose(together, alone, rtol=0, atol=self.same_alone)

    def test_the_order_of_the_passages_does_not_matter(self, reranker):
        forwards = self.score(reranker, QUERY, PASSAGES)
        backwards = self.score(reranker, QUERY, PASSAGES[::-1])
        np.testing.assert_allclose(backwards[::-1], forwards, rtol=0, atol=self.same_alone)

    def test_equal_passages_score_the_same(self, reranker):
        first, _, second = self.score(reranker, QUERY, [PASSAGES[0], PASSAGES[1], PASSAGES[0]])
        assert first == pytest.approx(second, abs=self.same_alone)

    def test_only_a_passage_that_lost_its_end_is_truncated(self, reranker):
        pairs = reranker.tokenize("yes", ["no", "", "measles " * 700])
        assert [pair.sequence.truncated for pair in pairs] == [False, False, True]

    def test_no_input_is_longer_than_the_model_reads(self, reranker):
        pairs = reranker.tokenize("measles " * 700, PASSAGES)
        assert max(len(pair) for pair in pairs) <= reranker.info.max_tokens

    def test_a_long_query_leaves_the_passage_its_say(self, reranker):
        scores = self.score(reranker, "measles " * 700, [PASSAGES[0], PASSAGES[1]])
        assert scores[0] != scores[1]

    def test_windows_begin_where_the_pair_does_and_reach_the_end(self, reranker):
        long = "trees " * 700 + PASSAGES[0]
        (plain,) = reranker.tokenize(QUERY, [long])
        short, found = reranker.windows(QUERY, [PASSAGES[2][:20], long], 1000)
        assert short == reranker.tokenize(QUERY, [PASSAGES[2][:20]])
        assert found[0].sequence.token_ids == plain.sequence.token_ids
        assert len(found) > 1
        assert (plain.truncated, found[0].truncated) == (True, False)

    def test_no_passages_no_pairs(self, reranker):
        assert list(reranker.tokenize(QUERY, [])) == []


class TrainedRerankerContract(RerankerContract):
    """A reranker that was trained to judge relevance."""

    def test_passages_that_answer_the_query_come_first(self, reranker):
        scores = self.score(reranker, QUERY, PASSAGES[:5])
        assert set(np.argsort(-scores)[:2].tolist()) == {0, 2}
