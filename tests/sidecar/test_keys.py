"""Keys: equal for equal inputs, different when anything that decides a row differs."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hybridrank.sidecar.rerankers.token_overlap import TokenOverlapReranker
from hybridrank.sidecar.scoring.keys import text_keys

MODEL = TokenOverlapReranker.info
texts = st.text(max_size=5)


def test_equal_texts_have_equal_keys_wherever_they_stand():
    first, second, third = text_keys(MODEL, "score", "query", texts=["a", "b", "a"])
    assert first == third != second
    assert text_keys(MODEL, "score", "query", texts=["a"]) == [first]


@given(st.lists(texts, max_size=3), texts, st.lists(texts, max_size=3), texts)
def test_different_parts_never_run_into_the_same_bytes(options, text, other_options, other_text):
    assume((options, text) != (other_options, other_text))
    assert text_keys(MODEL, *options, texts=[text]) != text_keys(MODEL, *other_options, texts=[other_text])


@pytest.mark.parametrize(
    "change",
    [{"name": "x"}, {"version": "2"}, {"digest": "1" * 64}, {"precision": "int8"}, {"max_tokens": 256}],
    ids=lambda change: next(iter(change)),
)
def test_another_model_has_other_keys(change):
    other = replace(MODEL, **change)
    assert text_keys(other, "score", "query", texts=["a"]) != text_keys(MODEL, "score", "query", texts=["a"])


def test_names_of_a_model_are_not_in_the_cache_key():
    assert text_keys(replace(MODEL, aliases=("x",)), texts=["a"]) == text_keys(MODEL, texts=["a"])


def test_a_lone_surrogate_has_a_key_of_its_own():
    assert len(set(text_keys(MODEL, texts=["\ud800", "\ud801", "?"]))) == 3
