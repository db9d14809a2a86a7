"""Model folders are found where they are, by the name and version in them; hidden ones are passed over."""

import shutil

import pytest

from hybridrank.sidecar.models.scan import scan
from tests.golden.sidecar import FOLDER


@pytest.fixture
def root(tmp_path):
    for place in ("one", "ce/1", "ce/2", ".incoming/3", "too/deep/down"):
        shutil.copytree(FOLDER / "tiny-encoder", tmp_path / place)
    (tmp_path / "notes.txt").write_text("not a model")
    return tmp_path


def test_a_root_itself_a_folder_in_it_and_one_deeper(root):
    assert [found.path.relative_to(root).as_posix() for found in scan([root])] == ["ce/1", "ce/2", "one"]
    assert [found.path for found in scan([root / "one", root / "ce"])] == [root / "one", root / "ce/1", root / "ce/2"]


def test_name_and_version_fall_back_to_the_folders(root):
    (root / "ce/2/model.toml").write_text("name = ")
    found = {each.path.relative_to(root).as_posix(): (each.name, each.version) for each in scan([root])}
    assert found == {"one": ("tiny-encoder", "1"), "ce/1": ("tiny-encoder", "1"), "ce/2": ("2", "")}


@pytest.mark.parametrize("name", ["model.toml", "model.onnx", "tokenizer.json"])
def test_a_written_file_changes_the_stamp_of_its_folder_alone(root, name):
    before = scan([root])
    with (root / "ce/2" / name).open("ab") as file:
        file.write(b" ")
    assert [a == b for a, b in zip(before, scan([root]), strict=True)] == [True, False, True]


def test_a_root_that_cannot_be_read_is_not_an_empty_one(root):
    with pytest.raises(FileNotFoundError):
        scan([root, root / "gone"])
