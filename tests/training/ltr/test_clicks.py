"""Clicks → grades: the models find what made the clicks."""

import random

import pytest

from hybridrank.training.ltr.clicks import Shown, coec, examination, grades, pbm
from hybridrank.training.ltr.errors import ClickError

EXAMINED = (1.0, 0.6, 0.4, 0.25, 0.15)
ATTRACTIVE = {"a": 0.8, "b": 0.4, "c": 0.1, "d": 0.02, "e": 0.3}


def clicks_of_the_model(times=20_000) -> list[Shown]:
    """Made up by the position-based model itself: five documents in random orders."""
    chance = random.Random(1)
    found: dict[tuple[str, str, int], list[int]] = {}
    for _ in range(times):
        for place, doc_id in enumerate(chance.sample(sorted(ATTRACTIVE), 5), start=1):
            counts = found.setdefault(("q", doc_id, place), [0, 0])
            counts[0] += 1
            counts[1] += chance.random() < EXAMINED[place - 1] * ATTRACTIVE[doc_id]
    return [Shown(*key, *counts) for key, counts in found.items()]


def test_the_position_based_model_finds_what_made_the_clicks():
    table = clicks_of_the_model()
    looked = examination(table)
    assert [looked[place] for place in range(1, 6)] == pytest.approx(EXAMINED, abs=0.03)
    found = pbm(table)
    assert [found["q", doc_id] for doc_id in "abcde"] == pytest.approx([*ATTRACTIVE.values()], abs=0.03)


def test_a_document_that_was_shown_low_is_not_worse_for_that():
    """Both were clicked once in ten, but one at the first place and one at the fifth."""
    table = [*clicks_of_the_model(), Shown("q2", "high", 1, 1000, 100), Shown("q2", "low", 5, 1000, 100)]
    for model in (pbm, coec):
        found = model(table)
        assert found["q2", "low"] > 3 * found["q2", "high"]


def test_coec_is_clicks_over_those_that_the_places_get():
    table = [Shown("q", "a", 1, 90, 40), Shown("q", "b", 2, 90, 5), Shown("p", "a", 1, 10, 10)]
    found = coec(table)  # place 1 gets 50 of 100, place 2 5 of 90; one click of prior on both sides
    assert found["q", "a"] == pytest.approx((1 + 40) / (1 + 45))
    assert found["p", "a"] == pytest.approx((1 + 10) / (1 + 5))
    assert found["q", "b"] == pytest.approx(1)


def test_grades_follow_the_cuts_and_skip_rarely_shown_documents():
    table = [*clicks_of_the_model(), Shown("q", "rare", 1, 9, 9)]
    assert grades(table, "pbm", cuts=(0.01, 0.2, 0.5)) == {"q": {"a": 3, "b": 2, "c": 1, "d": 1, "e": 2}}
    assert "rare" in grades(table, "coec", min_shown=9)["q"]
    with pytest.raises(ClickError, match="the cuts 2, 1 do not rise"):
        grades(table, "coec", cuts=(2, 1))
