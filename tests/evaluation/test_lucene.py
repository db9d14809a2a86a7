"""Pyserini is run by its documented commands, here with a stand-in of the same options; files and errors are ours."""

import os
import sys

import pytest

from hybridrank.evaluation.experiments.lucene import SYSTEMS, Pyserini, PyseriniFailed, pyserini_version
from tests.contracts.passages import PASSAGES
from tests.evaluation.menu import QUERIES
from tests.evaluation.pyserini_stand_in import write_stand_in


def test_a_python_without_pyserini_is_told_what_to_install():
    with pytest.raises(ImportError, match=r"pip install 'hybridrank\[pyserini\]', or give --pyserini-python"):
        pyserini_version(sys.executable)


def test_documents_are_indexed_and_queries_ranked(tmp_path):
    pyserini = Pyserini(write_stand_in(tmp_path / "stand-in"), tmp_path)
    assert pyserini_version(pyserini.python) == "0.0.1"
    pyserini.index(PASSAGES, tmp_path / "lucene")
    # Ids that are numbers with zeros in front, and texts of several lines, stay as they are.
    queries = {**QUERIES, "007": "hot\ttea\nwith milk", "none": "zzz"}
    rankings = pyserini.search(tmp_path / "lucene", queries, "Lucene BM25, k1 0.9, b 0.4")
    assert rankings["q1"][0] == rankings["007"][0] == "chai"
    assert set(rankings) == {*QUERIES, "007"}
    assert all(1 <= len(set(ranking)) == len(ranking) <= len(PASSAGES) for ranking in rankings.values())


def test_each_system_is_asked_for_by_its_options(tmp_path):
    pyserini = Pyserini(write_stand_in(tmp_path / "stand-in"), tmp_path)
    pyserini.index(PASSAGES, tmp_path / "lucene")
    seen = []
    for system in SYSTEMS:
        pyserini.search(tmp_path / "lucene", QUERIES, system)
        seen.append((tmp_path / "lucene/options.txt").read_text())
    assert seen == ["k1 0.9 b 0.4 rm3 False", "k1 1.2 b 0.75 rm3 False", "k1 0.9 b 0.4 rm3 True"]


def test_the_java_that_was_found_is_the_one_that_runs(tmp_path):
    pyserini = Pyserini(write_stand_in(tmp_path / "stand-in"), tmp_path / "a jdk")
    pyserini.index(PASSAGES, tmp_path / "lucene")
    assert (tmp_path / "lucene/java_home.txt").read_text() == str(tmp_path / "a jdk")
    assert os.environ.get("JAVA_HOME") != str(tmp_path / "a jdk")


def test_the_error_ends_with_the_last_output_of_pyserini(tmp_path):
    pyserini = Pyserini(write_stand_in(tmp_path / "stand-in"), tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PyseriniFailed, match=r"pyserini.search.lucene ended with status 1:(.|\n)*documents.jsonl"):
        pyserini.search(tmp_path / "empty", QUERIES, "Lucene BM25, k1 0.9, b 0.4")
