"""LETOR text: what is read, what is written, and what is refused by its line."""

import gzip
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hybridrank.training.ltr.dataset import RankingData
from hybridrank.training.ltr.errors import LetorError
from hybridrank.training.ltr.letor import read_letor, read_sizes, write_letor

RANKLIB = """\
4 qid:rambo 1:9.8 2:12.3 # 7555 rambo
0\tqid:rambo 1:1e-3 # 1370

2 qid:7 2:2e-400
"""


def test_ranklibs_lines_are_read_and_what_is_absent_is_missing(tmp_path):
    (path := tmp_path / "train.txt").write_text(RANKLIB)
    data = read_letor(path)
    np.testing.assert_equal(data.rows, [[9.8, 12.3], [0.001, math.nan], [math.nan, 0]])
    assert data.grades.tolist() == [4, 0, 2]
    assert (data.query_ids, data.sizes, data.doc_ids) == (("rambo", "7"), (2, 1), ("7555", "1370", ""))


def test_svmlight_has_groups_in_another_file_and_sparse_zeros(tmp_path):
    with gzip.open(path := tmp_path / "rank.gz", "wt") as file:
        file.write("1 1:0.5\n0 3:2\n2 2:1\n")
    (sizes := tmp_path / "rank.query").write_text("1\n2\n")
    data = read_letor(path, absent=0.0, sizes=read_sizes(sizes))
    assert data.rows.tolist() == [[0.5, 0, 0], [0, 0, 2], [0, 1, 0]]
    assert (data.query_ids, data.sizes) == (("1", "2"), (1, 2))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("4 1:9.8", "there is no qid:"),
        ("x qid:1 1:9.8", "the grade is x, not a whole number from 0 on"),
        ("1.5 qid:1 1:9.8", r"the grade is 1\.5, not a whole number from 0 on"),
        ("1 qid:1 1:nan", "feature 1: 'nan' is not a finite number; leave out what is not known"),
        ("1 qid:1 1:2 2:-inf", "feature 2: '-inf' is not a finite number"),
        ("1 qid:1 2:1e400", "feature 2: '1e400' is not a finite number"),
        ("1 qid:1 99999999:1", "'99999999:1' is not NUMBER:VALUE with a number from 1 to 10000"),
        ("-1 qid:1 1:9.8", "the grade is -1"),
        ("1 qid:1 0:9.8", "'0:9.8' is not NUMBER:VALUE with a number from 1 to 10000"),
        ("1 qid:1 1:9.8 1:2", "feature 1 comes twice"),
        ("1 qid:1 price:3", "'price:3' is not NUMBER:VALUE"),
        ("1 qid:1 1:much", "feature 1: 'much' is not a finite number"),
        ("1 qid:rambo 1:1", "the rows of query 'rambo' do not stand together"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path, line, problem):
    (path := tmp_path / "train.txt").write_text(f"{RANKLIB}{line}\n")
    with pytest.raises(LetorError, match=rf"train\.txt:5: {problem}"):
        read_letor(path)


@pytest.mark.parametrize(("sizes", "problem"), [((3,), "2 rows, but the groups have 3"), ((1,), ":2: there are more")])
def test_groups_must_fit_the_rows(tmp_path, sizes, problem):
    (path := tmp_path / "rank").write_text("1 1:0.5\n0 3:2\n")
    with pytest.raises(LetorError, match=problem):
        read_letor(path, sizes=sizes)


def test_a_file_of_groups_holds_numbers(tmp_path):
    (path := tmp_path / "rank.query").write_text("1\nmany\n")
    with pytest.raises(LetorError, match=r"rank\.query:2: expected a whole number a line"):
        read_sizes(path)


@pytest.mark.parametrize(
    ("query_id", "grade", "problem"), [("a b", 1, "query 'a b' cannot"), ("q", -1, "'d0' of 'q' is unjudged")]
)
def test_values_that_the_format_cannot_hold_are_not_written(tmp_path, query_id, grade, problem):
    data = RankingData(np.zeros((1, 2)), np.array([grade]), (query_id,), (1,), ("d0",))
    with pytest.raises(LetorError, match=problem):
        write_letor(tmp_path / "train.txt", data)


@given(data=st.data(), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_letor_files_round_trip_to_the_last_bit(tmp_path_factory, data, sizes):
    count = sum(sizes)
    rows = data.draw(arrays(np.float64, (count, 3), elements=st.floats(allow_nan=True, allow_infinity=False)))
    rows[0, 2] = 1.0  # the last feature is somewhere, else its column would not be known
    grades = np.array(data.draw(st.lists(st.integers(0, 4), min_size=count, max_size=count)))
    wanted = RankingData(
        rows, grades, tuple(f"q{n}" for n in range(len(sizes))), tuple(sizes), tuple(f"d{n}" for n in range(count))
    )
    write_letor(path := tmp_path_factory.mktemp("letor") / "train.txt.gz", wanted)
    found = read_letor(path)
    np.testing.assert_array_equal(found.rows.view(np.int64)[~np.isnan(rows)], rows.view(np.int64)[~np.isnan(rows)])
    np.testing.assert_array_equal(np.isnan(found.rows), np.isnan(rows))
    assert found.grades.tolist() == grades.tolist()
    assert (found.query_ids, found.sizes, found.doc_ids) == (wanted.query_ids, wanted.sizes, wanted.doc_ids)


def test_the_doc_id_may_be_named_as_the_letor_collections_do(tmp_path):
    (path := tmp_path / "mq.txt").write_text(
        "2 qid:1 1:0.05 #docid = GX029-35 inc = 0.01 prob = 0.1\n0 qid:1 1:0.2 # docid=GX030\n1 qid:1 1:1 # docid\n"
    )
    assert read_letor(path).doc_ids == ("GX029-35", "GX030", "docid")


def test_marks_crlf_and_blank_lines_keep_rows_and_numbers(tmp_path):
    (path := tmp_path / "train.txt").write_bytes(
        "\ufeff1 qid:1 1:2\r\n\r\n# a remark\r\n2 qid:1 1:3 \r\nx\r\n".encode()
    )
    with pytest.raises(LetorError, match=r"train\.txt:5: the grade is x"):
        read_letor(path)
    path.write_bytes(path.read_bytes()[:-3])
    assert read_letor(path).rows.tolist() == [[2], [3]]


def test_an_infinite_value_is_not_written(tmp_path):
    data = RankingData(np.array([[1.0, np.inf]]), np.array([1]), ("q",), (1,), ("d0",))
    with pytest.raises(LetorError, match="feature 2 of 'd0' of 'q' is infinite"):
        write_letor(tmp_path / "train.txt", data)
    assert list(tmp_path.iterdir()) == []
