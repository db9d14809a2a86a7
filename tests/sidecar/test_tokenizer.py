"""Inputs of the model: special tokens, segments, and the part cut from a text that is too long."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.sidecar.runtime.tokenizer import TextTokenizer
from tests.golden.sidecar import FOLDER

CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def tokenizer():
    return TextTokenizer(FOLDER / "tiny-cross-encoder" / "tokenizer.json", max_tokens=16)


def test_a_single_text_stands_between_cls_and_sep(tokenizer):
    (sequence,) = tokenizer.singles(["the query"])
    assert (sequence.token_ids[0], sequence.token_ids[-1], len(sequence)) == (CLS, SEP, 4)
    assert sequence.segment_ids == (0, 0, 0, 0)
    assert sequence.special == (True, False, False, True)
    assert not sequence.truncated


def test_the_passage_of_a_pair_is_segment_one(tokenizer):
    (pair,) = tokenizer.pairs("the query", ["the passage is"])
    assert pair.segment_ids == (0, 0, 0, 0, 1, 1, 1, 1)
    assert [pair.token_ids[place] for place in (0, 3, 7)] == [CLS, SEP, SEP]


def test_a_long_text_keeps_its_beginning(tokenizer):
    short, long = tokenizer.singles(["the " * 14, "the " * 14 + "query"])
    assert (short.truncated, long.truncated) == (False, True)
    assert short.token_ids == long.token_ids
    assert len(long) == 16


def test_a_long_passage_is_cut_and_the_query_is_not(tokenizer):
    (alone,) = tokenizer.pairs("what is rank", ["the"])
    (pair,) = tokenizer.pairs("what is rank", ["the " * 100])
    assert pair.truncated
    assert len(pair) == 16
    assert pair.token_ids[:5] == alone.token_ids[:5]
    assert pair.token_ids[-1] == SEP


def test_a_long_query_keeps_half_the_context_and_is_not_reported(tokenizer):
    (pair,) = tokenizer.pairs("rank " * 100, ["the passage"])
    assert pair.segment_ids.count(0) == 2 + 16 // 2
    assert pair.segment_ids.count(1) == 2 + 1
    assert not pair.truncated


def test_an_empty_text_is_its_special_tokens(tokenizer):
    assert tokenizer.singles([""])[0].token_ids == (CLS, SEP)
    assert tokenizer.pairs("the", [""])[0].segment_ids == (0, 0, 0, 1)


def test_an_empty_text_without_special_tokens_is_padding(tmp_path):
    said = json.loads((FOLDER / "tiny-encoder" / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps({**said, "post_processor": None}))
    bare = TextTokenizer(tmp_path / "tokenizer.json", 48)
    for sequence in (*bare.singles([""]), *bare.pairs("", [""])):
        assert (sequence.token_ids, sequence.special) == ((bare.padding_id,), (True,))
    assert len(bare.singles(["rank"])[0]) == 1


@pytest.mark.parametrize("gap", [1, 200])
def test_a_text_far_over_the_context_keeps_the_same_beginning(tokenizer, gap):
    words = (" " * gap).join(["rank", "the", "query"] * 200)
    (short,) = tokenizer.singles([(" " * gap).join(["rank", "the", "query"] * 5)])
    (long,) = tokenizer.singles([words])
    assert long == short


def test_spaces_alone_are_not_mistaken_for_a_cut(tokenizer):
    (sequence,) = tokenizer.singles([" " * 10_000 + "rank"])
    assert len(sequence) == 3
    assert not sequence.truncated


def test_a_query_is_cut_once_for_all_its_passages(tokenizer):
    pairs = tokenizer.pairs("rank " * 100, ["the", "the", "query " * 50])
    assert pairs[0] == pairs[1]
    assert pairs[2].token_ids[:9] == pairs[0].token_ids[:9]


@pytest.mark.parametrize("windows", [1, 2, 3, 5, 100])
def test_windows_are_consecutive_overlap_and_reach_their_limit(tokenizer, windows):
    words = [word for number in range(100) for word in ("rank", "the", *str(number))]
    (whole,) = tokenizer.single_windows([" ".join(words)], 10_000)
    (found,) = tokenizer.single_windows([" ".join(words)], windows)
    assert [window.token_ids for window in found] == [window.token_ids for window in whole[:windows]]
    assert [window.truncated for window in found] == [len(whole) > windows] * len(found)
    for first, second in itertools.pairwise(found):
        assert len(first) == 16 >= len(second)
        assert first.token_ids[-2] == second.token_ids[1]  # an eighth of 14 is one


@given(st.integers(0, 100), st.integers(1, 8), st.integers(1, 20))
def test_windows_of_a_pair_keep_the_query_and_cover_the_passage(tokenizer, words, max_windows, query_words):
    query, passage = "rank " * query_words, " ".join(str(number % 10) for number in range(words))
    (found,) = tokenizer.pair_windows(query, [passage], max_windows)
    (plain,) = tokenizer.pairs(query, [passage])
    assert 1 <= len(found) <= max_windows
    assert found[0].token_ids == plain.token_ids
    room = 16 - 3 - min(query_words, 8)
    read = sum(sum(window.segment_ids) - 1 for window in found) - (len(found) - 1) * (room // 8)
    assert all(len(window) <= 16 for window in found)
    assert found[0].truncated == (read < words)
    assert read == words or len(found) == max_windows
