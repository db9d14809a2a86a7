"""The circuit breaker as a state machine on a clock of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hybridrank.common.breaker import FAILURES_TO_OPEN, OPEN_S, Breaker

MOMENTS = st.floats(0, 3 * OPEN_S)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker = breaker.calling(now).failed(now, "gone")
    return breaker


def test_worked_example():
    breaker = opened(now=10.0)
    assert breaker.last_failure == "gone"
    assert breaker.is_open(10.0)
    assert breaker.is_open(10.0 + 0.99 * OPEN_S)
    assert not breaker.is_open(10.0 + OPEN_S)  # half-open
    probing = breaker.calling(10.0 + OPEN_S)
    assert probing.is_open(10.0 + OPEN_S)  # for everybody else
    assert probing.failed(10.0 + 1.5 * OPEN_S, "still gone").is_open(10.0 + 2.4 * OPEN_S)
    assert probing.succeeded() == Breaker()


def test_a_probe_whose_caller_went_away_is_followed_by_another():
    assert not opened(0.0).calling(OPEN_S).is_open(2 * OPEN_S)


def test_the_time_without_a_try_is_the_users():
    breaker = Breaker(open_s=10.0)
    for _ in range(FAILURES_TO_OPEN):
        breaker = breaker.failed(0.0, "gone")
    assert [breaker.is_open(now) for now in (9.9, 10.0)] == [True, False]
    assert breaker.calling(10.0).is_open(19.9)
    assert breaker.succeeded() == Breaker(open_s=10.0)


@pytest.mark.parametrize("failures", range(FAILURES_TO_OPEN))
def test_fewer_failures_do_not_open(failures):
    breaker = Breaker()
    for _ in range(failures):
        breaker = breaker.calling(0.0).failed(0.0, "slow")
    assert not breaker.is_open(0.0)


@given(st.lists(st.booleans()))
def test_a_success_restarts_the_count_of_failures(outcomes):
    breaker = Breaker()
    in_a_row = 0
    for ok in outcomes:
        breaker = breaker.succeeded() if ok else breaker.failed(0.0, "slow")
        in_a_row = 0 if ok else in_a_row + 1
        assert breaker.is_open(0.0) == (in_a_row >= FAILURES_TO_OPEN)


class Calls(RuleBasedStateMachine):
    """Concurrent calls that end in any order, at any time, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.running = 0
        self.probed_at = -OPEN_S

    @rule(seconds=MOMENTS)
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def somebody_calls(self):
        if self.breaker.is_open(self.now):
            return
        if self.breaker.failures >= FAILURES_TO_OPEN:
            assert self.now - self.probed_at >= OPEN_S - 1e-6, "two probes within one spell"
            self.probed_at = self.now
        self.breaker = self.breaker.calling(self.now)
        self.running += 1

    @precondition(lambda self: self.running)
    @rule()
    def a_call_is_answered(self):
        self.running -= 1
        self.breaker = self.breaker.succeeded()
        assert not self.breaker.is_open(self.now)

    @precondition(lambda self: self.running)
    @rule()
    def a_call_fails(self):
        self.running -= 1
        self.breaker = self.breaker.failed(self.now, "gone")

    @precondition(lambda self: self.running)
    @rule()
    def a_caller_goes_away(self):
        self.running -= 1

    @invariant()
    def it_never_stays_open_for_longer_than_a_spell(self):
        assert not self.breaker.is_open(self.now + OPEN_S)

    @invariant()
    def it_is_open_only_after_failures(self):
        if self.breaker.is_open(self.now):
            assert self.breaker.failures >= FAILURES_TO_OPEN


TestCalls = Calls.TestCase
