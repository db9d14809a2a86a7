"""JSON that every engine can hold: what Python alone would take is refused with the path of the field."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.common.json_values import MAX_DEPTH, parse, problem, text_problem

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner, max_size=4)
    ),
)


@given(values)
def test_values_every_engine_can_hold_are_read_as_by_python(value):
    assert problem(value) == ""
    assert parse(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"price": NaN}', "price is not a finite number"),
        ('{"price": -Infinity}', "price is not a finite number"),
        ('{"a": {"b": [1, 1e400]}}', r"a\.b\[1\] is not a finite number"),
        ('{"views": 18446744073709551616}', "views is a whole number beyond 64 bits"),
        ('{"views": ' + "9" * 5000 + "}", "views is a whole number beyond 64 bits"),
        ('{"text": "tea \\ud83d"}', "text has half of a surrogate pair"),
        ('{"text": "\\udc00\\ud83d"}', "text has half of a surrogate pair"),
        ('{"a": {"\\ud83d": 1}}', "a has a field whose name has half of a surrogate pair"),
        ("NaN", "the value is not a finite number"),
        ('{"a": 1, "a": 2}', "has the field 'a' twice"),
        ("[" * 100_000, "nested more than 100 levels deep"),
        ('{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), "is nested more than 100 levels deep"),
        ("{'a': 1}", "not JSON: Expecting property name"),
        ("", "not JSON"),
    ],
)
def test_the_field_that_no_engine_can_hold_is_named(text, expected):
    with pytest.raises(ValueError, match=expected):
        parse(text)


def test_a_whole_surrogate_pair_is_text():
    assert parse('"\\ud83d\\ude00"') == "😀"


def test_the_errors_repeat_no_text_of_the_user():
    for text in ('{"a": "secret \\ud83d"}', '{"a": "secret', '{"a": secret}'):
        with pytest.raises(ValueError, match=r"half|JSON") as raised:
            parse(text)
        assert "secret" not in str(raised.value)


def test_types_that_json_lacks_are_left_to_the_engine():
    assert problem({"when": object(), "tags": {"a", "b"}}) == ""


def test_text_that_came_from_undecodable_arguments_is_refused():
    assert text_problem(b"caf\xe9".decode("utf-8", "surrogateescape"))
    assert not text_problem("café 😀")
