"""The BEIR reader: real files on disk, good lines kept, bad lines reported by number, broken files named."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.common.errors import BadLine
from hybridrank.connector.types import Document
from hybridrank.evaluation.collections.beir import BeirFolder, CollectionError

CORPUS = [
    {"_id": "d1", "title": "Tea", "text": "Leaves in hot water.", "price": 3, "tags": ["hot"]},
    {"_id": "d2", "text": "Beans."},
    {"_id": "d3", "title": "A title alone"},
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(each) + "\n" for each in CORPUS))
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "hot drink"}\n{"_id": "q2", "text": " cold "}\n')
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td2\t1\n")
    return tmp_path


def read(folder):
    """A folder's collection, and the list its bad lines go to."""
    lines: list[BadLine] = []
    return BeirFolder(folder, report=lines.append), lines


def test_documents_keep_every_field_but_the_id(folder):
    collection, bad_lines = read(folder)
    assert list(collection.documents()) == [
        Document("d1", {"title": "Tea", "text": "Leaves in hot water.", "price": 3, "tags": ["hot"]}),
        Document("d2", {"title": "", "text": "Beans."}),
        Document("d3", {"title": "A title alone", "text": ""}),
    ]
    assert bad_lines == []


def test_queries_and_judgments(folder):
    collection, _ = read(folder)
    assert dict(collection.queries()) == {"q1": "hot drink", "q2": "cold"}
    assert collection.qrels("test") == {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1}}


def test_gzipped_files_read_the_same(folder, tmp_path_factory):
    zipped = tmp_path_factory.mktemp("zipped")
    (zipped / "qrels").mkdir()
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        (zipped / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    plain, packed = BeirFolder(folder), BeirFolder(zipped)
    assert list(packed.documents()) == list(plain.documents())
    assert packed.queries() == plain.queries()
    assert packed.qrels("test") == plain.qrels("test")


def test_bad_lines_are_reported_by_number_and_skipped(folder):
    good = json.dumps(CORPUS[0]).encode()
    lines = [
        b"{not json",
        b'{"text": "no id"}',
        good,
        b"",
        b'{"_id": 7.5, "text": "a number"}',
        b'{"_id": "x", "text": null}',
        b'{"_id": "y"}',
        b'["a list"]',
        b'{"_id": "\xff"}',
        good,
    ]
    (folder / "corpus.jsonl").write_bytes(b"\n".join(lines))
    collection, bad_lines = read(folder)
    assert [each.doc_id for each in collection.documents()] == ["d1"]
    assert [each.number for each in bad_lines] == [1, 2, 5, 6, 7, 8, 9, 10]
    assert "d1" in bad_lines[-1].reason
    assert str(bad_lines[1]) == f"{folder / 'corpus.jsonl'}:2: expected a string as _id"


def test_bad_judgments_are_reported_and_the_first_of_two_is_kept(folder):
    (folder / "qrels/test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1 d2 1\nq1\td2\thigh\nq1\td1\t0\nq3\td1\nq2\td2\t1"
    )
    collection, bad_lines = read(folder)
    assert collection.qrels("test") == {"q1": {"d1": 2}, "q2": {"d2": 1}}
    assert [each.number for each in bad_lines] == [3, 4, 5, 6]


def test_judgments_without_a_header_lose_no_line(folder):
    (folder / "qrels/test.tsv").write_text("q1\td1\t2\n")
    assert BeirFolder(folder).qrels("test") == {"q1": {"d1": 2}}


def test_queries_that_repeat_or_hold_no_words_are_reported(folder):
    (folder / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "tea"}\n{"_id": "q1", "text": "milk"}\n{"_id": "q2", "text": "  "}\n'
    )
    collection, bad_lines = read(folder)
    assert collection.queries() == {"q1": "tea"}
    assert [each.number for each in bad_lines] == [2, 3]


def test_bad_lines_are_logged_when_nobody_asks_for_them(folder, caplog):
    (folder / "queries.jsonl").write_text("nonsense\n")
    assert BeirFolder(folder).queries() == {}
    assert "queries.jsonl:1: not JSON" in caplog.text


def test_documents_are_read_one_at_a_time(folder):
    with (folder / "corpus.jsonl").open("a") as corpus:
        corpus.write("broken\n")
    collection, bad_lines = read(folder)
    documents = collection.documents()
    assert next(documents).doc_id == "d1"
    assert bad_lines == []


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("corpus.jsonl", "the documents"), ("queries.jsonl", "the queries"), ("qrels/test.tsv", "there are: dev")],
)
def test_a_missing_file_is_named_with_what_it_holds(folder, missing, expected):
    (folder / "qrels/dev.tsv").write_text("")
    (folder / missing).unlink()
    collection = BeirFolder(folder)
    with pytest.raises(CollectionError, match=expected) as raised:
        _ = list(collection.documents()), collection.queries(), collection.qrels("test")
    assert str(folder / missing) in str(raised.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CollectionError, match="there is no such folder"):
        list(BeirFolder(tmp_path / "nowhere").documents())


@pytest.mark.parametrize("damage", [lambda data: data[:-12], lambda data: b"plain text", lambda data: data[:20] + b"?"])
def test_a_damaged_archive_is_an_error_that_names_it(tmp_path, damage):
    (tmp_path / "corpus.jsonl.gz").write_bytes(damage(gzip.compress(json.dumps(CORPUS[0]).encode() * 50)))
    with pytest.raises(CollectionError, match=r"corpus\.jsonl\.gz: cannot be read"):
        list(BeirFolder(tmp_path, report=lambda _line: None).documents())


def test_the_digest_follows_the_documents(folder):
    collection = BeirFolder(folder)
    before = collection.digest()
    assert before == BeirFolder(folder).digest()
    (folder / "corpus.jsonl").write_text(json.dumps(CORPUS[0]))
    assert collection.digest() != before


@given(content=st.binary(max_size=300))
def test_every_line_of_a_corpus_is_a_document_or_bad(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("fuzzed")
    (folder / "corpus.jsonl").write_bytes(b"\n" + content)  # no mark of another format comes first
    collection, bad_lines = read(folder)
    try:
        documents = list(collection.documents())
    except CollectionError as error:
        assert "no text" in str(error)  # noqa: PT017
        return
    assert len(documents) + len(bad_lines) == sum(1 for line in content.split(b"\n") if line.strip())


def test_null_is_as_a_field_that_is_not_there(folder):
    lines = ['{"_id": "1", "title": null, "text": "soup"}', '{"_id": "2", "title": "t", "text": null, "price": null}']
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    collection, bad_lines = read(folder)
    assert [each.source for each in collection.documents()] == [
        {"title": "", "text": "soup"},
        {"title": "t", "text": "", "price": None},
    ]
    assert bad_lines == []


def test_an_id_that_is_a_whole_number_is_its_digits(folder):
    (folder / "corpus.jsonl").write_text('{"_id": 7, "text": "tea"}\n{"_id": "7", "text": "chai"}\n')
    collection, bad_lines = read(folder)
    assert [each.doc_id for each in collection.documents()] == ["7"]
    assert bad_lines[0].reason == "the _id '7' is in line 1 already; the first document is kept"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "1" + "0" * 20, '"tea \\ud83d"'])
def test_a_value_that_no_engine_holds_is_a_bad_line(folder, value):
    (folder / "corpus.jsonl").write_text(
        f'{{"_id": "a", "price": {{"eur": {value}}}, "text": "t"}}\n{{"_id": "b", "text": "t"}}'
    )
    collection, bad_lines = read(folder)
    assert [each.doc_id for each in collection.documents()] == ["b"]
    assert [each.number for each in bad_lines] == [1]
    assert bad_lines[0].reason.startswith("price.eur ")


def test_a_query_with_half_a_surrogate_pair_is_a_bad_line(folder):
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "tea \\ud83d"}\n{"_id": "q2", "text": null}\n')
    collection, bad_lines = read(folder)
    assert collection.queries() == {}
    assert [each.reason.split()[0] for each in bad_lines] == ["text", "the"]


def test_judgments_survive_marks_crlf_blanks_and_floats(folder):
    (folder / "qrels/test.tsv").write_bytes("\ufeffq1\td1\t2\r\n\r\nq1\td2 \t1.0 \r\nq2\tad hoc\t0".encode())
    collection, bad_lines = read(folder)
    assert collection.qrels("test") == {"q1": {"d1": 2, "d2": 1}, "q2": {"ad hoc": 0}}
    assert bad_lines == []


@pytest.mark.parametrize("header", ["query-id\tcorpus-id\tscore", "query_id\tdoc_id\tgrade", "QID\tDocID\tRelevance"])
def test_any_usual_header_of_judgments_is_skipped(folder, header):
    (folder / "qrels/test.tsv").write_text(f"\ufeff\n{header}\nq1\td1\t2\n")
    collection, bad_lines = read(folder)
    assert collection.qrels("test") == {"q1": {"d1": 2}}
    assert bad_lines == []


def test_a_grade_below_zero_is_judged_and_not_relevant(folder):
    (folder / "qrels/test.tsv").write_text("q1\td1\t-2\nq1\td2\t-1\n")
    assert BeirFolder(folder).qrels("test") == {"q1": {"d1": 0, "d2": 0}}


@pytest.mark.parametrize("separator", [";", ",", " ", "\t0\t"])
def test_judgments_in_another_layout_are_refused_as_a_whole(folder, separator):
    (folder / "qrels/test.tsv").write_text(f"q1{separator}d1{separator}1\n" * 2)
    collection, bad_lines = read(folder)
    with pytest.raises(CollectionError, match=r"test\.tsv: none of its 2 lines is a judgment; expected query-id"):
        collection.qrels("test")
    assert [each.number for each in bad_lines] == [1, 2]
