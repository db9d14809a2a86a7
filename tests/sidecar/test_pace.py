"""The measured speed: of each model by itself, and as it is now rather than as it was."""

import pytest

from hybridrank.sidecar.batching.pace import FRESH_S, Pace


def test_an_unmeasured_model_is_not_presumed_slow():
    assert Pace().seconds("any", 1000) == 0


def test_seconds_follow_the_tokens():
    pace = Pace()
    pace.measured("a", tokens=100, seconds=0.5)
    assert pace.seconds("a", 1000) == pytest.approx(5)
    assert pace.seconds("b", 1000) == 0


def test_an_old_speed_is_forgotten():
    pace = Pace()
    for _ in range(100):
        pace.measured("a", tokens=100, seconds=10)
    for _ in range(300):
        pace.measured("a", tokens=100, seconds=1)
    assert pace.seconds("a", 100) == pytest.approx(1, rel=0.05)


def test_an_old_measured_speed_refuses_no_request():
    now = [100.0]
    pace = Pace(clock=lambda: now[0])
    pace.measured("a", tokens=1, seconds=3600)
    now[0] += FRESH_S
    assert pace.seconds("a", 1) == 3600
    now[0] += 0.1
    assert pace.seconds("a", 1) == 0


def test_estimates_follow_the_counts_of_late():
    pace = Pace()
    assert pace.tokens("a", 100) == 100
    for _ in range(100):
        pace.counted("a", estimate=100, tokens=300)
    for _ in range(300):
        pace.counted("a", estimate=100, tokens=110)
    assert pace.tokens("a", 1000) == pytest.approx(1100, rel=0.05)
    assert pace.tokens("b", 1000) == 1000
