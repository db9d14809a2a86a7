"""Batches keep their budget, lose nothing, and hold texts of similar length."""

from hypothesis import given
from hypothesis import strategies as st

from sidecar.batching.queue import cut_batches

lengths = st.lists(st.integers(1, 600), max_size=200)
budgets = st.integers(1, 5000)


def test_worked_example():
    # By length 9, 8, 4, 3: two of 9 fit into 18, a third would make 27; then 4 and 3.
    assert cut_batches([3, 8, 4, 9], max_batch_tokens=18) == [[3, 1], [2, 0]]


def test_nothing_waits_for_nothing():
    assert cut_batches([], max_batch_tokens=100) == []


@given(lengths, budgets)
def test_every_text_is_in_exactly_one_batch(lengths, budget):
    batches = cut_batches(lengths, max_batch_tokens=budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))


@given(lengths, budgets)
def test_a_padded_batch_keeps_its_budget_unless_one_text_is_beyond_it(lengths, budget):
    for batch in cut_batches(lengths, max_batch_tokens=budget):
        assert len(batch) == 1 or max(lengths[index] for index in batch) * len(batch) <= budget


@given(lengths, budgets)
def test_no_text_is_longer_than_one_before_it(lengths, budget):
    flat = [lengths[index] for batch in cut_batches(lengths, max_batch_tokens=budget) for index in batch]
    assert flat == sorted(flat, reverse=True)


@given(lengths, budgets)
def test_a_batch_is_closed_only_when_the_next_text_would_not_fit(lengths, budget):
    batches = cut_batches(lengths, max_batch_tokens=budget)
    for batch in batches[:-1]:
        assert lengths[batch[0]] * (len(batch) + 1) > budget


@given(lengths)
def test_a_budget_of_one_token_leaves_every_text_alone(lengths):
    assert all(len(batch) == 1 for batch in cut_batches(lengths, max_batch_tokens=1))
