"""Measures on the dev lists: what is compared, and what there is to blend with."""

from hybridrank.training.neural.dev import dev_ndcg
from hybridrank.training.neural.lists import RankedList

BEST_LAST = RankedList("q", "hot tea", ("d1", "d2", "d3"), ("a", "b", "c"), (0, 0, 1), collection="menu")
WRONG, RIGHT = [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]


def test_lists_in_no_order_of_retrieval_are_not_blended():
    found = dev_ndcg([BEST_LAST], [RIGHT])
    assert found["given"]["menu"] == 0.5
    assert found["alone"]["menu"] == found["blended"]["menu"] == 1
    retrieved = BEST_LAST.with_scores("fused", [9.0, 8.0, 1.0])
    assert dev_ndcg([retrieved], [RIGHT])["blended"]["menu"] < 1


def test_equal_ids_of_two_files_are_two_queries():
    found = dev_ndcg([BEST_LAST, BEST_LAST], [RIGHT, WRONG])
    assert found["alone"] == {"menu": 0.75, "all": 0.75}


def test_vectors_are_measured_beside_the_trained_scores():
    found = dev_ndcg([BEST_LAST], [RIGHT], [WRONG])
    assert (found["alone"]["all"], found["vectors"]["all"]) == (1, 0.5)
    assert "vectors" not in dev_ndcg([BEST_LAST], [RIGHT])
