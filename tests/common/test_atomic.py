"""A file is replaced as a whole, or not at all."""

import pytest

from hybridrank.common import atomic


def test_a_file_is_replaced_and_no_draft_remains(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    atomic.write_text(tmp_path / "a.txt", "thé\n")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "thé\n"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_after_an_error_the_old_file_remains_and_no_draft(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        atomic.write_text(tmp_path / "a.txt", "half, then \ud800")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
