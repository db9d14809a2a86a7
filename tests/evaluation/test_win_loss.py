"""Wins and losses query by query."""

from hypothesis import given
from hypothesis import strategies as st

from hybridrank.evaluation.measures.win_loss import win_loss

values = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 1.0])] * 2))


@given(values)
def test_every_query_is_a_win_loss_or_tie_and_sides_mirror(both):
    one, other = ({query_id: pair[side] for query_id, pair in both.items()} for side in (0, 1))
    found, mirrored = win_loss(one, other), win_loss(other, one)
    assert len(found.wins) + len(found.losses) + found.ties == len(both)
    assert found.losses == tuple((query_id, -difference) for query_id, difference in mirrored.wins)
    assert [each[1] for each in found.wins] == sorted((each[1] for each in found.wins), reverse=True)
    assert all(other[query_id] - one[query_id] == difference > 0 for query_id, difference in found.wins)
