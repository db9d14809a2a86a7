"""A model folder is tried before it serves; of several versions the newest that works is taken."""

import shutil
import subprocess
import sys

import pytest

from hybridrank.model_files import model_folder
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.models.loading import load
from tests.golden.sidecar import FOLDER
from tests.sidecar.forests import write_forest


def copy(tmp_path, name="copy", **fields):
    folder = shutil.copytree(FOLDER / "tiny-encoder", tmp_path / name)
    model_folder.write(folder, model_folder.read(folder).toml.model_copy(update=fields))
    return folder


def test_an_encoder_of_other_dimensions_than_it_says_is_refused(tmp_path):
    with pytest.raises(BadModelFolder, match=r"vectors of shape \(2, 32\) came back.*model\.toml says \(2, 64\)"):
        load([copy(tmp_path, dimensions=64)])


def test_a_graph_of_the_wrong_kind_is_refused(tmp_path):
    folder = shutil.copytree(FOLDER / "tiny-encoder", tmp_path / "copy")
    fields = model_folder.read(folder).toml.model_dump(
        include={"name", "version", "precision", "max_tokens", "licence"}
    )
    model_folder.write(folder, model_folder.CrossEncoderToml(**fields))
    with pytest.raises(BadModelFolder, match=r"model\.onnx has no output logits; it has last_hidden_state"):
        load([folder])


def test_the_newest_version_serves_and_only_wanted_ones_stay(tmp_path):
    for version in ("9", "10", "8"):
        copy(tmp_path, f"tiny/{version}", version=version)
    assert [model.info.version for model in load([tmp_path])] == ["10"]
    kept = load([tmp_path], keep_versions=2)
    assert [model.info.version for model in kept] == ["10", "9"]
    assert kept.get("tiny-encoder").info.version == "10"


def test_a_bad_newest_version_gives_way_to_one_that_works(tmp_path, caplog):
    copy(tmp_path, "tiny/1", version="1")
    (copy(tmp_path, "tiny/2", version="2") / "model.onnx").write_bytes(b"")
    assert load([tmp_path]).get("tiny-encoder").info.version == "1"


def test_a_bad_folder_that_nothing_can_stand_in_for_is_refused(tmp_path):
    copy(tmp_path, "good")
    (copy(tmp_path, "bad") / "model.onnx").write_bytes(b"")
    with pytest.raises(BadModelFolder, match="files have digest"):
        load([tmp_path / "bad"])


def test_duplicate_versions_and_duplicate_aliases_are_refused(tmp_path):
    copy(tmp_path, "a", aliases=("alias",))
    copy(tmp_path, "b")
    assert len(list(load([tmp_path], keep_versions=2))) == 1  # one of them; the log says that the other was refused
    shutil.rmtree(tmp_path / "b")
    edited = copy(tmp_path, "c")
    toml = edited / "model.toml"
    toml.write_text(
        toml.read_text()
        .replace('name = "tiny-encoder"', 'name = "mine"')
        .replace("aliases = []", 'aliases = ["alias"]')
    )
    with pytest.raises(BadModelFolder, match="two models answer to 'alias'"):
        load([tmp_path])


def test_a_folder_without_models_or_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(BadModelFolder, match=r"no model\.toml here"):
        load([tmp_path])
    with pytest.raises(BadModelFolder, match="nowhere: cannot be read: No such file or directory; look at"):
        load([tmp_path / "nowhere"])


def test_an_alias_of_a_model_that_is_not_loaded_is_an_error(tmp_path):
    copy(tmp_path, "one")
    assert load([tmp_path], names={"rerank-v3.5": "tiny-encoder"}).get("rerank-v3.5").info.name == "tiny-encoder"
    with pytest.raises(ValueError, match=r"the setting names has rerank-v3\.5=bert, but loaded are tiny-encoder"):
        load([tmp_path], names={"rerank-v3.5": "bert"})


def test_the_last_folder_serves_if_versions_are_equal(tmp_path):
    ours, yours = copy(tmp_path, "ours", aliases=("encoder",)), copy(tmp_path, "yours", aliases=("encoder", "mine"))
    assert load([ours, yours]).get("encoder").info.aliases == ("encoder", "mine")
    assert load([yours, ours]).get("encoder").info.aliases == ("encoder",)


def test_a_sidecar_without_an_encoder_says_so_when_it_starts(tmp_path):
    write_forest(tmp_path / "forest")
    command = [
        sys.executable,
        "-m",
        "hybridrank.sidecar",
        "--port",
        "0",
        "--http-port",
        "-1",
        "--exit-with-parent",
        "--models",
    ]
    for models, said in ((str(tmp_path), True), (f"shipped,{tmp_path}", False)):
        done = subprocess.run([*command, models], input="", capture_output=True, text=True, check=True)
        assert "ready on" in done.stdout
        assert ("searches rank by BM25 alone" in done.stderr) == said
