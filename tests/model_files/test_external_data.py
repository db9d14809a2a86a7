"""Weights in files beside a graph: part of its digest, and never read from elsewhere."""

import shutil

import pytest

from hybridrank.model_files import model_folder
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.external_data import external_files
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar import in_process
from tests.golden.sidecar import FOLDER


def entry(key, value):
    """An entry of external_data as protobuf writes it."""
    size = bytes([len(value)]) if len(value) < 128 else bytes([len(value) & 0x7F | 0x80, len(value) >> 7])
    return b"\x0a" + bytes([len(key)]) + key + b"\x12" + size + value


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize("name", ["w", "model.onnx.data", "w" * 127, "w" * 128, "w" * 250])
def test_a_file_that_a_tensor_names_is_found(graph, name):
    graph.write_bytes(b"before" + entry(b"location", name.encode()) + entry(b"offset", b"4096") + b"after")
    graph.with_name(name).write_bytes(b"weights")
    assert external_files(graph) == (graph.with_name(name),)


def test_many_tensors_of_one_file_name_it_once(graph):
    graph.write_bytes(b"".join(entry(b"location", name) for name in (b"b", b"a", b"b")))
    for name in "ab":
        graph.with_name(name).write_bytes(b"weights")
    assert external_files(graph) == (graph.with_name("a"), graph.with_name("b"))


@pytest.mark.parametrize("folder", ["cross-encoder-minilm-l6", "cross-encoder-nano", "encoder-minilm-l6"])
def test_a_graph_that_holds_its_weights_names_no_file(folder):
    for graph in (SHIPPED_MODELS / folder).glob("*.onnx"):
        assert external_files(graph) == ()


def test_an_empty_graph_names_no_file(graph):
    assert external_files(graph) == ()


def test_missing_weights_are_named(graph):
    graph.write_bytes(entry(b"location", b"model.onnx.data"))
    with pytest.raises(BadModelFolder, match=r"model\.onnx\.data, with weights of model\.onnx, is missing"):
        external_files(graph)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "a\\b", "..", ""])
def test_weights_outside_the_folder_are_refused(graph, name):
    graph.write_bytes(entry(b"location", name.encode()))
    with pytest.raises(BadModelFolder, match="must lie beside it"):
        external_files(graph)


@pytest.mark.torch
def test_weights_beside_the_graph_are_served_and_in_the_digest(tmp_path):
    import onnx

    plain, folder = FOLDER / "tiny-encoder", tmp_path / "tiny-encoder"
    shutil.copytree(plain, folder)
    onnx.save(
        onnx.load(str(plain / "model.onnx")),
        str(folder / "model.onnx"),
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=1024,
    )
    toml = model_folder.read(plain).toml
    digest = model_folder.write(folder, toml).toml.digest
    assert digest != toml.digest
    passages = ["green tea", "a kettle of hot water for two"]
    plain_cosines, cosines = (
        in_process.cosines(in_process.load_untested(each, "fp32").encoder, "tea", passages) for each in (plain, folder)
    )
    assert cosines == plain_cosines
    data = bytearray((folder / "model.onnx.data").read_bytes())
    data[-1] ^= 1
    (folder / "model.onnx.data").write_bytes(data)
    with pytest.raises(BadModelFolder, match="the files have digest"):
        model_folder.read(folder)
