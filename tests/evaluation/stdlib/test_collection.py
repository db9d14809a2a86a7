"""The real standard library of the Python that runs the tests."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.collections.stdlib import StdlibCollection, read_stdlib
from hybridrank.evaluation.collections.stdlib.extract import __file__ as extract_file


@pytest.fixture(scope="module")
def collection() -> StdlibCollection:
    return read_stdlib()


def test_names_of_every_python_are_there_under_public_names(collection):
    ids = {each.doc_id for each in collection.documents()}
    expected = """
        builtins.open builtins.OSError json json.dumps json.JSONDecoder os.path os.path.join os.listdir random.choice
        collections.OrderedDict functools.lru_cache itertools.chain threading.Lock shutil.copytree
        asyncio.gather urllib.request.urlopen unittest.mock.patch xml.etree.ElementTree.parse datetime.timedelta
    """
    assert set(expected.split()) <= ids
    for absent in ("posixpath.join", "ntpath.join", "json.decoder.JSONDecoder", "os.error", "test", "this", "_json"):
        assert absent not in ids


def test_there_are_a_few_thousand_each_id_once_each_field_filled(collection):
    documents = list(collection.documents())
    assert 2_500 < len(documents) < 6_000
    assert len({each.doc_id for each in documents}) == len(documents)
    for each in documents:
        assert set(each.source) == {"name", "title", "kind", "module", "signature", "text", "depth", "importers"}
        assert each.doc_id == each.source["name"]
        assert each.source["title"]
        assert each.source["text"].strip()
        assert " at 0x" not in each.source["signature"]
    assert {each.source["kind"] for each in documents} == {"module", "class", "function"}


def test_a_document_equals_one_written_by_hand(collection):
    (document,) = (each for each in collection.documents() if each.doc_id == "os.path.join")
    assert document.source["title"] == "os path join"
    assert document.source["kind"] == "function"
    assert document.source["module"] == "os.path"
    assert document.source["signature"] == "(a, *p)"
    assert document.source["depth"] == 2
    assert document.source["importers"] > 5
    assert "Join two or more pathname components" in document.source["text"]


def test_skipped_modules_have_a_reason(collection):
    assert collection.skipped["this"] == "prints on import"
    assert all(collection.skipped.values())
    assert collection.undocumented > 1_000


def test_reading_twice_gives_the_same_collection(collection):
    assert read_stdlib().digest() == collection.digest()


def test_documents_hold_no_values_of_the_environment(monkeypatch):
    """`cgi.parse` takes the environment as a default value; signatures print defaults."""
    monkeypatch.setenv("SOME_TOKEN", "a-secret-nobody-may-index")
    assert "a-secret-nobody-may-index" not in repr(read_stdlib().entries)


def test_reading_the_collection_imports_and_prints_nothing(tmp_path):
    program = (
        "import sys; from hybridrank.evaluation.collections.stdlib import read_stdlib;"
        "before = set(sys.modules); read_stdlib();"
        "print(sorted({'turtle', 'tkinter', 'this', 'cgi', 'telnetlib', 'xmlrpc.server'} & set(sys.modules)))"
    )
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (child.stdout, child.stderr) == ("[]\n", "")
    assert list(tmp_path.iterdir()) == []


def test_the_reader_leaves_no_files_in_the_library():
    library = Path(sysconfig.get_path("stdlib"))
    before = {path: path.stat().st_mtime_ns for path in library.rglob("*.pickle")}
    subprocess.run([sys.executable, "-I", "-S", "-W", "ignore", extract_file], capture_output=True, check=True)
    assert {path: path.stat().st_mtime_ns for path in library.rglob("*.pickle")} == before


def test_the_questions_that_ship_are_whole(collection):
    queries = collection.queries()
    assert len(queries) >= 120
    assert len(set(queries.values())) == len(queries)


def test_judgments_of_missing_documents_are_dropped_and_counted(tmp_path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels/test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\tjson.dumps\t2\nq1\tgone.away\t1\nq2\tgone\t2\n"
    )
    whole = read_stdlib()
    collection = StdlibCollection(whole.entries, {}, 0, BeirFolder(tmp_path))
    assert collection.qrels("test") == {"q1": {"json.dumps": 2}, "q2": {}}
    assert collection.dropped_judgments("test") == 2
