"""Batches keep their budget, lose nothing, and hold texts of similar length; turns go by due time, and none starves."""

from hypothesis import given
from hypothesis import strategies as st

from hybridrank.sidecar.batching.queue import PATIENCE_S_PER_TOKEN, cut_batches, due_at, estimate_tokens, fit, next_turn

lengths = st.lists(st.integers(1, 600), max_size=200)
budgets = st.integers(1, 5000)


def test_worked_example():
    # By length 9, 8, 4, 3: two of 9 fit into 18, a third would make 27; then 4 and 3.
    assert cut_batches([3, 8, 4, 9], max_batch_tokens=18) == [[3, 1], [2, 0]]


def test_no_inputs_make_no_batches():
    assert cut_batches([], max_batch_tokens=100) == []


@given(lengths, budgets, st.booleans())
def test_every_text_is_in_exactly_one_batch(lengths, budget, in_order):
    batches = cut_batches(lengths, max_batch_tokens=budget, in_order=in_order)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))


@given(lengths, budgets, st.booleans())
def test_a_padded_batch_keeps_its_budget_unless_one_text_is_over(lengths, budget, in_order):
    for batch in cut_batches(lengths, max_batch_tokens=budget, in_order=in_order):
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


@given(lengths, budgets)
def test_in_order_the_texts_keep_their_order(lengths, budget):
    batches = cut_batches(lengths, max_batch_tokens=budget, in_order=True)
    assert [index for batch in batches for index in batch] == list(range(len(lengths)))


@given(st.lists(st.integers(1, 600), min_size=2, max_size=50), budgets)
def test_inputs_fit_together_within_budget_and_little_padding(lengths, budget):
    padded = max(lengths) * len(lengths)
    assert fit(lengths, max_batch_tokens=budget) == (padded <= budget and padded - sum(lengths) <= padded / 3)


times = st.floats(0, 1e6)
tokens = st.integers(1, 1_000_000)
deadlines = st.none() | times
requests = st.tuples(times, tokens, deadlines)


@given(st.lists(st.tuples(times, st.floats(0, 1)), min_size=1), st.integers(2000, 100_000))
def test_the_earliest_deadline_goes_first_within_patience(asked, longest):
    by_deadline = [arrived + budget for arrived, budget in asked]
    dues = [due_at(arrived, longest, deadline) for (arrived, _), deadline in zip(asked, by_deadline, strict=True)]
    assert by_deadline[next_turn(dues)] == min(by_deadline)


@given(requests, requests)
def test_a_request_that_is_due_is_never_overtaken_by_later_ones(one, other):
    (arrived, *rest), (_, more_tokens, later_deadline) = one, other
    due = due_at(arrived, *rest)
    late = max(due, arrived) + 1e-3
    deadline = None if later_deadline is None else max(late, later_deadline)  # what has expired is refused
    assert next_turn([due, due_at(late, more_tokens, deadline)]) == 0


@given(times, tokens, deadlines)
def test_a_request_is_due_within_its_deadline_and_patience(arrived, count, deadline):
    due = due_at(arrived, count, deadline)
    assert due <= arrived + PATIENCE_S_PER_TOKEN * count
    assert deadline is None or due <= deadline


@given(st.lists(times, min_size=1))
def test_equal_due_times_are_served_in_order_of_arrival(dues):
    assert next_turn(dues) == dues.index(min(dues))


@given(st.lists(st.text()), st.text(), st.integers(8, 512))
def test_no_text_is_estimated_longer_than_the_model_reads(texts, query, max_tokens):
    assert len(texts) * 3 <= estimate_tokens(texts, max_tokens, query) <= len(texts) * max_tokens
