"""Scores as they are printed: OpenSearch's connector reads a Double or fails."""

import json
import math
import re

from hypothesis import example, given
from hypothesis import strategies as st

from hybridrank.sidecar.transport.http.answers import decimal, to_json

# What the connector's JSON reader makes a Double of: a point or an exponent, and no more than 18 characters.
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")


@given(st.floats(-1e6, 1e6, width=32) | st.floats(0, 1))
@example(1.0)
@example(0.0)
@example(-0.00012345678901)
@example(5e-324)
def test_a_score_prints_as_a_short_decimal_never_an_integer(score):
    printed = to_json([decimal(score)]).decode()[1:-1]
    assert NUMBER.fullmatch(printed)
    assert "." in printed or "e" in printed
    assert len(printed) <= 18
    assert sum(character.isdigit() for character in re.sub(r"^-?0\.0*|e.*", "", printed)) <= 15
    assert math.isclose(json.loads(printed), score, rel_tol=1e-10)


@given(st.lists(st.floats(-1e6, 1e6, width=32) | st.floats(0, 1)))
def test_printing_keeps_the_order(scores):
    printed = [decimal(score) for score in sorted(scores)]
    assert printed == sorted(printed)
