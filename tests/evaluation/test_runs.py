"""TREC run files: what is written is read back, and ir-measures sees the same order."""

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.evaluation.collections.runs import RunFileError, read_run, write_run

ids = st.text(st.characters(blacklist_categories=("Z", "C")), min_size=1, max_size=8)
rankings = st.dictionaries(ids, st.lists(ids, unique=True, min_size=1, max_size=6), max_size=4)


def test_the_lines_by_hand(tmp_path):
    write_run(tmp_path / "bm25.run", {"q1": ("b", "a"), "q2": ("c",)}, "bm25")
    assert (tmp_path / "bm25.run").read_text() == "q1 Q0 b 1 2 bm25\nq1 Q0 a 2 1 bm25\nq2 Q0 c 1 1 bm25\n"


@given(rankings)
def test_a_run_survives_the_file(tmp_path_factory, rankings):
    path = tmp_path_factory.mktemp("runs") / "a.run"
    write_run(path, rankings, "a")
    assert read_run(path) == {query_id: tuple(doc_ids) for query_id, doc_ids in rankings.items()}


def test_other_readers_see_the_same_order(tmp_path):
    path = tmp_path / "a.run"
    write_run(path, {"q": ["z", "a", "m"]}, "a")
    scored = sorted(ir_measures.read_trec_run(str(path)), key=lambda each: -each.score)
    assert [each.doc_id for each in scored] == ["z", "a", "m"]


def test_a_run_of_another_program_is_ordered_by_score(tmp_path):
    (tmp_path / "a.run").write_text("q Q0 low 1 0.5 x\nq Q0 high 2 7.25 x\n\nq\tQ0\tmiddle\t3\t1e0\tx\n")
    assert read_run(tmp_path / "a.run") == {"q": ("high", "middle", "low")}


@pytest.mark.parametrize("bad", ["a b", "", "a\tb", "a\ud83d"])
def test_an_id_that_no_run_can_hold_is_refused_before_writing(tmp_path, bad):
    with pytest.raises(RunFileError, match="cannot stand in a TREC run"):
        write_run(tmp_path / "a.run", {"q": [bad]}, "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["q Q0 d 1 2", "q Q0 d 1 high x", "q Q0 d 1 1 x\nq Q0 d 2 1 x"])
def test_a_bad_line_is_named(tmp_path, line):
    (tmp_path / "a.run").write_text(line)
    with pytest.raises(RunFileError, match=r"a\.run:[12]: "):
        read_run(tmp_path / "a.run")


def test_a_mark_crlf_and_blank_lines_lose_no_query(tmp_path):
    (tmp_path / "a.run").write_bytes("\ufeffq1 Q0 a 1 3 x\r\n\r\nq1 Q0 b 2 2 x\r\n".encode())
    assert read_run(tmp_path / "a.run") == {"q1": ("a", "b")}


@pytest.mark.parametrize("score", ["nan", "inf", "1e400", "1_0"])
def test_a_score_that_is_no_finite_number_is_named(tmp_path, score):
    (tmp_path / "a.run").write_text(f"\nq Q0 d 1 {score} x")
    with pytest.raises(RunFileError, match=r"a\.run:2: .*finite"):
        read_run(tmp_path / "a.run")


def test_an_id_may_have_spaces_that_do_not_end_a_word(tmp_path):
    (tmp_path / "a.run").write_text("q Q0 d\u00a01 1 2 x")
    assert read_run(tmp_path / "a.run") == {"q": ("d\u00a01",)}
