"""Passages of long documents: worked examples, and what holds for every text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.connector.indexing.splitting import Split, split

TEXTS = st.lists(st.text(alphabet="ab é\n\t🦜", min_size=0, max_size=6), max_size=60).map(" ".join)


@st.composite
def splits(draw) -> Split:
    words = draw(st.integers(2, 9))
    return Split(words, draw(st.integers(0, words - 1)))


def test_a_short_text_is_one_passage_as_it_stands():
    assert split({"title": "Tea", "text": " hot  water\n"}, Split(5, 2)) == ("Tea\nhot  water",)


def test_the_end_of_a_passage_begins_the_next():
    text = "one two three four five six seven"
    assert split({"text": text}, Split(3, 1)) == ("one two three", "three four five", "five six seven")
    assert split({"text": text}, Split(4, 2)) == ("one two three four", "three four five six", "five six seven")


def test_a_text_that_ends_with_a_passage_has_no_further_one():
    """The words of a last passage of overlap alone would all be in the one before."""
    assert split({"text": "one two three four five"}, Split(3, 1)) == ("one two three", "three four five")


def test_without_a_text_the_title_is_the_passage():
    assert split({"title": "Tea"}, Split()) == ("Tea",)
    assert split({"title": "", "text": "  "}, Split()) == ()
    assert split({}, Split()) == ()


def test_each_passage_stands_below_the_other_fields():
    source = {"brand": "Leaf", "title": "Tea", "body": "hot water"}
    assert split(source, Split(1, 0), ("brand", "title", "body")) == ("Leaf\nTea\nhot", "Leaf\nTea\nwater")


@pytest.mark.parametrize(("words", "overlap"), [(3, 3), (3, -1), (0, 0)])
def test_an_overlap_that_does_not_fit_is_refused(words, overlap):
    with pytest.raises(ValueError, match="does not fit"):
        Split(words, overlap)


@given(TEXTS, splits())
def test_no_word_is_lost_and_no_passage_too_long(text, how):
    passages = split({"text": text}, how)
    assert all(0 < len(each.split()) <= how.words for each in passages)
    assert all(each in text for each in passages)
    again = [word for place, each in enumerate(passages) for word in each.split()[how.overlap if place else 0 :]]
    assert again == text.split()
