"""Weights in a file beside the graph are imported with it, at both precisions."""

import numpy as np

from hybridrank.sidecar import in_process
from hybridrank.sidecar.types import TextKind
from hybridrank.training.onnx.importing.model import import_model
from tests.golden.texts import PASSAGES
from tests.training.onnx_sources import archive, changed, files, folder
from tests.training.test_import_onnx import ENCODER, refusal, vectors


def moved_weights(name):
    """The files of a source whose weights are moved out of the graph to the file `name`, and its content."""
    data = bytearray()

    def move(model):
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) >= 1024:  # as `onnx` does: shapes stay in the graph
                place = {"location": name, "offset": len(data), "length": len(tensor.raw_data)}
                data.extend(tensor.raw_data)
                tensor.ClearField("raw_data")
                for key, value in place.items():
                    tensor.external_data.add(key=key, value=str(value))
                tensor.data_location = 1

    return {**files(), "onnx/model.onnx": changed("encoder", move)}, bytes(data)


def test_weights_in_another_file_come_with_the_graph(tmp_path):
    content, data = moved_weights("model.onnx_data")
    plain = import_model(folder(tmp_path / "plain", files()), tmp_path / "plain-out", **ENCODER)
    source = archive(tmp_path / "tiny.zip", {**content, "onnx/model.onnx_data": data})
    imported = import_model(source, tmp_path / "moved-out", **ENCODER)
    np.testing.assert_array_equal(vectors(imported.path), vectors(plain.path))
    assert (imported.path / "model.onnx_data").read_bytes() == data
    assert len(data) > 10_000
    cut = folder(tmp_path / "cut", {**content, "onnx/model.onnx_data": data[:-1000]})
    assert "cannot be read by ONNX Runtime" in refusal(cut, tmp_path)


def test_weights_never_replace_another_file_of_the_model(tmp_path):
    content, data = moved_weights("selftest.json")
    source = folder(tmp_path / "tiny", {**content, "onnx/selftest.json": data})
    assert "is the name of another file of a model" in refusal(source, tmp_path)


def test_int8_of_weights_in_another_file_is_that_of_one_file(tmp_path):
    content, data = moved_weights("model.onnx_data")
    source = folder(tmp_path / "moved", {**content, "onnx/model.onnx_data": data})
    imported = import_model(source, tmp_path / "moved-out", **ENCODER, quantized=True)
    plain = import_model(folder(tmp_path / "plain", files()), tmp_path / "plain-out", **ENCODER, quantized=True)
    for precision in ("int8", "fp32"):
        moved, whole = (in_process.load_untested(each.path, precision).encoder for each in (imported, plain))
        texts = moved.tokenize_texts(PASSAGES, TextKind.DOCUMENT)
        np.testing.assert_array_equal(moved.embed(texts), whole.embed(texts))
    assert sorted(each.name for each in imported.path.glob("*onnx*")) == [
        *("model.fp32.onnx", "model.onnx", "model.onnx_data")
    ]
    assert (imported.path / "model.onnx_data").read_bytes() == data
