import itertools
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hybridrank.connector import Rrf, WeightedSum
from hybridrank.connector.fusion.weighted import min_max
from hybridrank.connector.types import Candidate, Ranking, RetrieverScore


def ranking(*doc_ids: str, scores: list[float] | None = None) -> Ranking:
    scores = scores or [float(len(doc_ids) - place) for place in range(len(doc_ids))]
    return tuple(Candidate(doc_id, rank, scores[rank - 1]) for rank, doc_id in enumerate(doc_ids, start=1))


rankings = st.dictionaries(
    st.sampled_from(["bm25", "knn", "title", "tags"]),
    st.lists(st.sampled_from("abcdefghij"), unique=True).map(lambda ids: ranking(*ids)),
)


def test_rrf_adds_reciprocal_ranks():
    fused = Rrf().fuse({"bm25": ranking("a", "b", "c"), "knn": ranking("c", "d")})
    assert [(each.candidate.doc_id, each.candidate.score) for each in fused] == [
        ("c", fsum([1 / (60 + 3), 1 / (60 + 1)])),
        ("a", 1 / (60 + 1)),
        ("b", 1 / (60 + 2)),
        ("d", 1 / (60 + 2)),
    ]
    assert [each.candidate.rank for each in fused] == [1, 2, 3, 4]


def test_rrf_weights_and_constant():
    fused = Rrf(rank_constant=1, weights={"knn": 3}).fuse({"bm25": ranking("a"), "knn": ranking("b", "a")})
    assert {each.candidate.doc_id: each.candidate.score for each in fused} == {"a": 1 / 2 + 3 / 3, "b": 3 / 2}


def test_a_fused_document_keeps_what_each_retriever_said():
    fused = Rrf().fuse({"bm25": ranking("a", scores=[12.5]), "knn": ranking("b", "a", scores=[0.9, 0.8])})
    said = {each.candidate.doc_id: each.retrievers for each in fused}
    assert said["a"] == {"bm25": RetrieverScore(1, 12.5), "knn": RetrieverScore(2, 0.8)}
    assert said["b"] == {"knn": RetrieverScore(1, 0.9)}


@given(rankings)
def test_fusion_ignores_the_order_of_the_rankings(given_rankings):
    for method in (Rrf(), WeightedSum(weights={"bm25": 0.3})):
        answers = {
            tuple((each.candidate.doc_id, each.candidate.score) for each in method.fuse(dict(order)))
            for order in itertools.permutations(given_rankings.items())
        }
        assert len(answers) == 1


@given(rankings)
def test_fusion_keeps_every_document_once(given_rankings):
    fused = Rrf().fuse(given_rankings)
    assert sorted(each.candidate.doc_id for each in fused) == sorted(
        {candidate.doc_id for each in given_rankings.values() for candidate in each}
    )
    assert [each.candidate.rank for each in fused] == list(range(1, len(fused) + 1))
    scores = [each.candidate.score for each in fused]
    assert scores == sorted(scores, reverse=True)


def test_ranks_that_plain_addition_would_round_apart():
    """1/(60+1) + 1/(60+7) + 1/(60+2) added in another order is another float; fsum gives one."""
    shares = [1 / (60 + rank) for rank in (1, 7, 2)]
    assert len({sum(order) for order in itertools.permutations(shares)}) > 1
    padding = [f"x{place}" for place in range(5)]
    first = {"p": ranking("a"), "q": ranking(*padding, "y", "a"), "r": ranking("z", "a")}
    answers = {Rrf().fuse(dict(order))[0].candidate.score for order in itertools.permutations(first.items())}
    assert answers == {fsum(shares)}


def test_ties_go_to_the_better_rank_and_then_to_the_doc_id():
    fused = Rrf().fuse({"bm25": ranking("b", "c"), "knn": ranking("a", "d")})
    assert [each.candidate.doc_id for each in fused] == ["a", "b", "c", "d"]


def test_equal_sums_are_ordered_by_the_better_rank():
    fused = WeightedSum().fuse({"bm25": ranking("z", "a", scores=[5.0, 5.0])})
    assert [each.candidate.doc_id for each in fused] == ["z", "a"]


def test_min_max_scales_negative_scores_too():
    assert min_max(ranking("a", "b", "c", scores=[-1.0, -2.0, -5.0])) == [1.0, 0.75, 0.0]
    assert min_max(ranking("a", "b", scores=[-3.0, -3.0])) == [1.0, 1.0]
    assert min_max(()) == []


def test_weighted_sum_counts_a_missing_retriever_as_nothing():
    fused = WeightedSum(weights={"bm25": 0.5}).fuse(
        {"bm25": ranking("a", "b", scores=[10.0, 5.0]), "knn": ranking("b", "c", scores=[0.9, 0.4])}
    )
    assert [(each.candidate.doc_id, each.candidate.score) for each in fused] == [("b", 1.0), ("a", 0.5), ("c", 0.0)]


def test_nothing_in_nothing_out():
    assert Rrf().fuse({}) == ()
    assert WeightedSum().fuse({"bm25": ()}) == ()


@pytest.mark.parametrize("wrong", [{"rank_constant": 0}, {"weights": {"bm25": -1}}, {"k": 60}])
def test_a_wrong_parameter_is_named(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Rrf(**wrong)
