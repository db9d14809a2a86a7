"""Numbers and ids of text files, read strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.common.cells import identifier, number, whole_number, words


@given(st.integers(-(10**14), 10**14))
def test_whole_numbers_come_back(value):
    assert whole_number(str(value)) == whole_number(f" {value}.0 ") == value


@pytest.mark.parametrize("text", ["", " ", "high", "1_000", "٣", "2.5", "1e3", "nan", "0x1", "1,5", "9" * 5000])
def test_a_value_that_is_no_integer_is_refused(text):
    with pytest.raises(ValueError, match="is not a whole number"):
        whole_number(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_to_the_last_bit(value):
    assert number(repr(value)) == value


@pytest.mark.parametrize("text", ["", "nan", "inf", "-Infinity", "1e400", "1_0.5", "٣", "0x1p3", "1,5"])
def test_a_value_that_is_no_finite_number_is_refused(text):
    with pytest.raises(ValueError, match="is not a finite number"):
        number(text)


def test_an_id_may_be_a_string_or_a_whole_number():
    assert (identifier("a b", "_id"), identifier(0, "_id")) == ("a b", "0")


@pytest.mark.parametrize("value", [None, "", "  ", " a", "a\n", True, 1.0, ["a"], {}])
def test_a_value_that_is_no_id_is_refused_with_its_field(value):
    with pytest.raises(ValueError, match="doc_id"):
        identifier(value, "doc_id")


def test_words_are_split_at_blanks_and_tabs_alone():
    assert words(" q1\tQ0  d\u00a01 \u3000 \r") == ["q1", "Q0", "d\u00a01", "\u3000"]
