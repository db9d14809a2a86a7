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


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path):
    with atomic.new_folder(tmp_path / "deep" / "models") as draft:
        (draft / "file").write_text("whole")
        assert [each.name for each in (tmp_path / "deep").iterdir()] == [".models.new"]
    assert (tmp_path / "deep" / "models" / "file").read_text() == "whole"
    with pytest.raises(ZeroDivisionError), atomic.new_folder(tmp_path / "other") as draft:
        (draft / "file").write_text(str(1 / 0))
    assert [each.name for each in tmp_path.iterdir()] == ["deep"]


def test_a_new_folder_never_replaces_one_with_files(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "file").write_text("old")
    with pytest.raises(OSError, match="models"), atomic.new_folder(tmp_path / "models"):
        pass
    assert [each.read_text() for each in tmp_path.rglob("file")] == ["old"]


def test_two_processes_never_fill_one_folder(tmp_path):
    with atomic.new_folder(tmp_path / "models") as draft:
        (draft / "file").write_text("mine")
        with (
            pytest.raises(BlockingIOError, match="another process is writing it"),
            atomic.new_folder(draft.parent / "models"),
        ):
            pass
    assert (tmp_path / "models" / "file").read_text() == "mine"


def test_a_killed_process_leaves_nothing_in_the_folder(tmp_path):
    left = tmp_path / ".models.new"
    (left / "deep").mkdir(parents=True)
    (left / "half").write_text("half")
    with atomic.new_folder(tmp_path / "models") as draft:
        (draft / "file").write_text("whole")
    assert [each.name for each in (tmp_path / "models").iterdir()] == ["file"]
