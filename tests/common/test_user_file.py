"""The reader of users' files: every reader of the project is built on it, so what files do wrong is tried here once."""

import gzip
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.common.errors import BadFile, BadLine
from hybridrank.common.user_file import UserFile


@pytest.fixture
def bad():
    return []


def written(tmp_path, content, name="data.jsonl"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def numbers(bad):
    return [each.number for each in bad]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    path = written(tmp_path, b"\xef\xbb\xbfone\ntwo\n")
    assert list(UserFile(path).lines()) == [(1, "one"), (2, "two")]
    assert UserFile(path).text() == "one\ntwo\n"


def test_crlf_and_blank_lines_keep_the_line_numbers(tmp_path):
    path = written(tmp_path, b"\r\n  \r\none\r\n\n\ntwo")
    assert list(UserFile(path).lines()) == [(3, "one"), (6, "two")]


def test_only_line_feeds_end_a_line(tmp_path):
    line = "a\u2028b\x0bc\x0cd\x1ce\x85f"
    assert list(UserFile(written(tmp_path, line + "\nnext")).lines()) == [(1, line), (2, "next")]


def test_lines_that_end_in_cr_alone_are_named(tmp_path, bad):
    assert list(UserFile(written(tmp_path, b"one\rtwo\n"), report=bad.append).lines()) == []
    assert "LF or CRLF" in bad[0].reason


@pytest.mark.parametrize("name", ["data.jsonl.gz", "data.jsonl"])
def test_gzip_is_read_whatever_the_name(tmp_path, name):
    path = written(tmp_path, gzip.compress(b"\xef\xbb\xbfone\n\ntwo"), name)
    assert list(UserFile(path).lines()) == [(1, "one"), (3, "two")]
    assert UserFile(path).text() == "one\n\ntwo"


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda _data: b"plain", lambda data: data[:14] + b"?"])
def test_a_damaged_archive_is_named_with_what_to_do(tmp_path, damage):
    path = written(tmp_path, damage(gzip.compress(b"some text\n" * 99)), "data.jsonl.gz")
    with pytest.raises(BadFile, match=r"data\.jsonl\.gz: cannot be read: damaged archive .*write it again"):
        list(UserFile(path).lines())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_refused_with_what_to_do(tmp_path, encoding):
    path = written(tmp_path, '{"_id": "a"}\n'.encode(encoding))
    for read in (lambda file: list(file.lines()), UserFile.text):
        with pytest.raises(BadFile, match=r"data\.jsonl: is .*UTF-16.*save it as UTF-8"):
            read(UserFile(path))


def test_latin_1_is_refused_with_line_and_what_to_do(tmp_path, bad):
    path = written(tmp_path, "tea\ncafé\nmilk\n".encode("latin-1"))
    assert list(UserFile(path, report=bad.append).lines()) == [(1, "tea"), (3, "milk")]
    assert numbers(bad) == [2]
    assert "not UTF-8 (byte 0xe9)" in bad[0].reason
    assert "iconv -f LATIN1" in bad[0].reason
    with pytest.raises(BadFile, match=r"data\.jsonl:2: not UTF-8"):
        UserFile(path).text()


def test_a_workbook_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(BadFile, match="export the sheet as CSV UTF-8"):
        list(UserFile(written(tmp_path, b"PK\x03\x04\x14\x00", "data.csv")).lines())


def test_an_overlong_line_is_skipped_in_bounded_memory(tmp_path, bad):
    lines = list(UserFile(written(tmp_path, "a" * 33 + "\nshort\n"), report=bad.append, max_line_bytes=32).lines())
    assert lines == [(2, "short")]
    assert numbers(bad) == [1]


def test_a_gigabyte_without_a_line_end_costs_no_gigabyte(tmp_path, bad):
    resource = pytest.importorskip("resource")
    path = tmp_path / "one-line.jsonl"
    with path.open("wb") as file:  # sparse on disk
        file.write(b"{...")
        file.seek(1 << 30)
        file.write(b"\nshort\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert list(UserFile(path, report=bad.append).lines()) == [(2, "short")]
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 300 << 20


def test_a_whole_file_is_bounded_too(tmp_path):
    with pytest.raises(BadFile, match="is it the right file"):
        UserFile(written(tmp_path, b"a" * 33), max_file_bytes=32).text()


def test_a_missing_file_a_folder_and_a_locked_file_are_named(tmp_path):
    with pytest.raises(BadFile, match="nowhere: there is no such file"):
        list(UserFile(tmp_path / "nowhere").lines())
    with pytest.raises(BadFile, match="is a folder; name a file"):
        list(UserFile(tmp_path).lines())


def test_a_file_without_permission_is_named(tmp_path):
    path = written(tmp_path, b"secret")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        with pytest.raises(BadFile, match="permission denied"):
            list(UserFile(path).lines())
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\r\n \n"])
def test_an_empty_file_has_no_lines(tmp_path, content):
    assert list(UserFile(written(tmp_path, content)).lines()) == []
    assert list(UserFile(written(tmp_path, content)).objects()) == []


def test_bad_lines_raise_where_nobody_wants_to_be_told(tmp_path):
    class OwnError(Exception):
        pass

    path = written(tmp_path, '{"a": 1}\nnonsense\n')
    with pytest.raises(OwnError, match=r"data\.jsonl:2: not JSON"):
        list(UserFile(path, OwnError).objects())


def test_objects_are_read_past_bad_lines(tmp_path, bad):
    lines = ['{"a": 1}', "", '{"a": NaN}', '["list"]', '{"a": "\\ud83d"}', '{"a": {"b": [1e400]}}', "{bad", '{"a": 2}']
    found = list(UserFile(written(tmp_path, "\n".join(lines)), report=bad.append).objects())
    assert found == [(1, {"a": 1}), (8, {"a": 2})]
    assert numbers(bad) == [3, 4, 5, 6, 7]
    assert str(bad[0]) == f"{tmp_path / 'data.jsonl'}:3: a is not a finite number"
    assert bad[3].reason == "a.b[0] is not a finite number"


def test_a_file_that_is_one_array_says_what_is_expected(tmp_path, bad):
    list(UserFile(written(tmp_path, '[\n{"a": 1}\n]\n'), report=bad.append).objects())
    assert "one object a line is expected" in bad[0].reason


def test_objects_are_read_as_they_are_asked_for(tmp_path, bad):
    objects = UserFile(written(tmp_path, '{"a": 1}\nbroken\n'), report=bad.append).objects()
    assert next(objects) == (1, {"a": 1})
    assert bad == []


COLUMNS = {"query": (), "shown": ("impressions",)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_with_any_usual_delimiter(tmp_path, delimiter):
    text = "\ufeff\r\n Query ,x,impressions\r\ntea , 1,2\r\n\r\nhot milk,1,3\r\n".replace(",", delimiter)
    found = list(UserFile(written(tmp_path, text, "data.csv")).table(COLUMNS))
    assert found == [(3, {"query": "tea", "shown": "2"}), (5, {"query": "hot milk", "shown": "3"})]


def test_quoted_cells_hold_delimiters_quotes_and_line_ends(tmp_path):
    text = 'query,shown\n"tea, ""hot""\nor cold",1\nmilk,2\n'
    found = list(UserFile(written(tmp_path, text, "data.csv")).table(COLUMNS))
    assert found == [(2, {"query": 'tea, "hot"\nor cold', "shown": "1"}), (4, {"query": "milk", "shown": "2"})]


def test_rows_of_another_width_are_named(tmp_path, bad):
    text = "query,shown\ntea\nmilk,1\nbeer,1,2\n"
    found = list(UserFile(written(tmp_path, text, "data.csv"), report=bad.append).table(COLUMNS))
    assert [number for number, _ in found] == [3]
    assert [each.reason[:7] for each in bad] == ["1 cells", "3 cells"]


def test_a_quote_that_is_not_closed_is_named_where_it_opens(tmp_path, bad):
    text = 'query,shown\ntea,1\n"milk,1\nbeer,1\n'
    found = list(UserFile(written(tmp_path, text, "data.csv"), report=bad.append).table(COLUMNS))
    assert [number for number, _ in found] == [2]
    assert numbers(bad) == [3]


@pytest.mark.parametrize(
    ("header", "problem"),
    [("query,views", "no column shown or impressions"), ("query,shown,shown", "more than one"), ("", "no column")],
)
def test_a_header_without_the_columns_is_named(tmp_path, header, problem):
    with pytest.raises(BadFile, match=rf"data\.csv:1: there is {problem}"):
        list(UserFile(written(tmp_path, header, "data.csv")).table(COLUMNS))


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r\n\ufeff"))), st.booleans())
def test_lines_come_back_with_their_numbers(tmp_path_factory, lines, zipped):
    raw = "".join(f"{line}\n" for line in lines).encode()
    path = tmp_path_factory.mktemp("lines") / ("data.gz" if zipped else "data")
    path.write_bytes(gzip.compress(raw) if zipped else raw)
    found = list(UserFile(path).lines())
    assert found == [(number, line) for number, line in enumerate(lines, start=1) if line.strip(" \t\v\f")]


def test_a_bad_line_reads_as_editors_understand_it(tmp_path):
    assert str(BadLine(tmp_path / "a.tsv", 3, "wrong")) == f"{tmp_path / 'a.tsv'}:3: wrong"
