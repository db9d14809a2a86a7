"""The table of codecs, on a collection so small that it says nothing of them: that every row is measured, and how."""

import pytest

from benchmarks import reranker_codecs
from tests.evaluation.menu import write_menu


def test_every_codec_is_measured_beside_fp32(tmp_path, monkeypatch):
    monkeypatch.setattr(reranker_codecs, "TRAINED", ((4, 0), (2, 0), (1, 0), (2, 2)))
    section = reranker_codecs.measure(write_menu(tmp_path / "menu"))
    names = [row[0] for row in section.table.rows]
    trained = ["residuals, 4 bits", "residuals, 2 bits", "residuals, 1 bit"]
    assert names[:7] == ["fp32", "fp16", "int8", reranker_codecs.SHIPPED, *trained]
    assert names[7].startswith("residuals, 2 bits, without 2 tokens (")
    sizes = [section.measured[name]["document_bytes"] for name in names]
    tokens = (sizes[0] - 16) / (4 * 384)
    assert sizes[1:7] == pytest.approx([16 + tokens * each for each in (768, 384, 2 + 96, 2 + 192, 2 + 96, 2 + 48)])
    assert 16 < sizes[7] < sizes[5]
    share = int(names[7].partition("(")[2].partition("%")[0]) / 100
    assert (sizes[7] - 16) / (sizes[5] - 16) == pytest.approx(1 - share, abs=0.1)
    assert section.measured["fp16"]["per_query"] == section.measured["fp32"]["per_query"]
    assert set(section.measured["first_stage"]) == {"q1", "q2"}
    assert [aim.measured for aim in section.aims] == [abs(float(section.table.rows[row][4])) for row in (5, 3)]
