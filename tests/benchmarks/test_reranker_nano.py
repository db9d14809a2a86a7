"""The table of nano beside six layers, on a collection too small for its ratios: what is measured, and how."""

import pytest

from benchmarks import reranker_nano
from tests.evaluation.menu import write_menu


def test_both_models_get_the_same_passages_at_each_length(tmp_path, monkeypatch):
    monkeypatch.setattr(reranker_nano, "ROUNDS", 1)
    monkeypatch.setattr(reranker_nano, "WORDS", (2, None))
    section = reranker_nano.measure(write_menu(tmp_path / "menu"))
    assert [row[0] for row in section.table.rows] == ["2 words", "whole documents"]
    short, whole = (float(row[1]) for row in section.table.rows)
    assert 5 < short < whole
    for words, row, aim in zip(("2", "all"), section.table.rows, section.aims, strict=True):
        (six,), (nano,) = section.measured["seconds"][words].values()
        assert aim.measured == pytest.approx(six / nano)
        assert row[-1] == f"{six / nano:.2f}"
