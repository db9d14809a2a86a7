"""Sentences on an experiment, for results that were made here."""

import pytest

from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.results import ExperimentResult, summarise
from hybridrank.evaluation.measures.win_loss import win_loss
from hybridrank.evaluation.report.findings import findings

QRELS = {"q1": {"tea": 1}, "q2": {"tea": 1}}


def part(**places: int) -> ExperimentResult:
    """Returns the result of pipelines that rank the only relevant document at a place; the later one is slower."""
    runs = {}
    for number, (name, place) in enumerate(places.items(), 1):
        ranking = (*(f"other {each}" for each in range(1, place)), "tea")
        times = dict.fromkeys(QRELS, 10.0 * number**2)
        runs[name.replace("_", "+")] = PipelineRun(dict.fromkeys(QRELS, ranking), times, {})
    return summarise(runs, QRELS, ["rrf"])


def test_gain_cost_and_what_is_better():
    hard = part(rrf=3, knn=1, rrf_colbert=2, rrf_large=4)
    easy = part(rrf=2, knn=3, rrf_colbert=1, rrf_large=2)
    brought, cost, following = findings(hard, {"hard": hard, "easy": easy}, "rrf+colbert")
    assert brought.startswith("rrf+colbert changes the nDCG@10 of its own first stage, rrf, by +0.1309 (p ")
    assert " on hard queries and by +0.3691 (p " in brought
    assert cost.startswith("It takes 80 ms more than rrf at the median; rrf+large takes 150 ms more, for -0.0693 (p ")
    assert " and +0.0000 (p 1.0000)." in cost
    assert following.startswith("knn is better on hard queries (so it may weigh more in the fusion): try it with")


@pytest.mark.parametrize(
    ("places", "cost", "following"),
    [
        (
            {"rrf": 2, "rrf_colbert": 1},
            "30 ms more than rrf at the median, the most of all.",
            "None is better: measure",
        ),
        ({"rrf": 2, "rrf_colbert": 2, "knn": 2}, "rrf at the median; knn takes 80 ms more", "None is better"),
        (
            {"rrf": 3, "rrf_colbert": 2, "rrf_large": 1},
            "rrf+large takes 80 ms more",
            "see whether its time is worth it",
        ),
        (
            {"rrf": 1, "rrf_colbert": 2},
            "30 ms more than rrf at the median, the most of all.",
            "rrf is better on all queries (so reranking may be left out, or weigh less)",
        ),
        ({"rrf_colbert": 1, "rrf": 2}, "It takes 30 ms less than rrf at the median, the most of all.", "None is"),
    ],
)
def test_what_to_try_next(places, cost, following):
    found = part(**places)
    _, its_cost, its_next = findings(found, {"all": found}, "rrf+colbert")
    assert cost in its_cost
    assert following in its_next


def test_each_part_has_its_own_advice():
    hard, easy = part(rrf=3, knn=1, rrf_colbert=2), part(rrf=1, knn=3, rrf_colbert=2)
    *_, following = findings(hard, {"hard": hard, "easy": easy}, "rrf+colbert")
    assert "weigh more in the fusion) and rrf is better on easy queries (so reranking may be" in following


@pytest.mark.parametrize(
    ("values", "typical"),
    [
        ({"a": 0.9, "b": 0.6, "c": 0.7, "d": 0.1, "e": 0.5}, ("c", "d")),
        ({"a": 0.6, "b": 0.5, "c": 0.5, "d": 0.5, "e": 0.5}, ("a",)),
        ({"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.5, "e": 0.5}, ()),
    ],
)
def test_a_typical_gain_and_loss_are_the_medians(values, typical):
    assert win_loss(dict.fromkeys("abcde", 0.5), values).typical == typical
