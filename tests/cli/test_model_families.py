"""`hybridrank model families` shows the matrix that the tests of families measure, without torch."""

import json

from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.training.onnx.families.matrix import matrix
from tests.training.families import write
from tests.training.families.registry import ROWS


def shown(*options):
    done = CliRunner().invoke(app, ["model", "families", *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_every_row_is_in_the_table():
    text = " ".join(shown().split())
    for row in matrix():
        assert row.family.split()[0] in text
        assert (row.becomes or "refused") in text


def test_json_has_the_bounds_that_the_tests_hold():
    rows = json.loads(shown("--json"))["families"]
    assert [row["family"] for row in rows] == [row.name for row in ROWS]
    assert {"family": "BERT", "becomes": "cross-encoder", "within": 3e-5, "spearman": 0.95}.items() <= rows[0].items()
    refused = next(row for row in rows if row["family"] == "question answering")
    assert (refused["becomes"], refused["because"]) == ("", "finds answers inside a text, and does not score it")


def test_the_written_matrix_is_that_of_the_rows():
    assert [path for path, text in write.texts().items() if path.read_text(encoding="utf-8") != text] == []


def test_a_row_that_was_not_written_is_noticed(monkeypatch):
    monkeypatch.setattr(write, "ROWS", ROWS[1:])
    assert [path for path, text in write.texts().items() if path.read_text(encoding="utf-8") == text] == []
