"""Graphs over the limit of one file: the same models, with their weights in a file beside them."""

from pathlib import Path

import numpy as np
import pytest

from hybridrank.sidecar import in_process
from tests.golden.texts import PAIRS

pytestmark = pytest.mark.torch
ONE_FILE = {"model.onnx", "model.fp32.onnx", "model.toml", "selftest.json", "tokenizer.json"}
BESIDE = {"model.onnx.data", "model.fp32.onnx.data"}


@pytest.fixture
def low_limit(monkeypatch):
    """Calls a function for which tiny models are large, and their matrices are read in several parts."""
    from hybridrank.training.onnx import graph_file

    def call(function, *arguments, **options):
        with monkeypatch.context() as lowered:
            for name, value in (("LIMIT", 2**12), ("HELD", 2**9), ("PART", 2**10)):
                lowered.setattr(graph_file, name, value)
            return function(*arguments, **options)

    return call


def weights(path):
    import onnx

    return {each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(str(path)).graph.initializer}


def matrices(path):
    """Returns the bytes of each, sorted: the exporter gives them other names."""
    return sorted(each.tobytes() for each in weights(path).values() if each.ndim == 2)


def files(folder):
    return {each.name for each in folder.iterdir()}


def scores(folder, precision):
    reranker = in_process.load_model(folder, precision=precision).reranker
    return [reranker.relevance_scores(query, [passage])[0] for query, passage in PAIRS]


@pytest.mark.parametrize("model_type", ["xlm-roberta", "bert", "modernbert"])
def test_a_large_export_scores_as_one_file_does(model_type, low_limit, tmp_path):
    from hybridrank.training.onnx.export import export_model
    from tests.training import tiny_checkpoints

    source = tiny_checkpoints.save(tmp_path / "source", model_type, "ForSequenceClassification", num_labels=1)
    one = export_model(str(source), tmp_path / "one").path
    large = low_limit(export_model, str(source), tmp_path / "large").path
    assert files(one) == ONE_FILE
    assert files(large) == ONE_FILE | BESIDE
    for name in ("model.onnx", "model.fp32.onnx"):
        assert (large / name).stat().st_size < (large / f"{name}.data").stat().st_size
        assert matrices(large / name) == matrices(one / name)
    for precision in ("int8", "fp32"):
        np.testing.assert_allclose(scores(large, precision), scores(one, precision), atol=1e-6)


def test_a_large_export_at_int8_alone_keeps_no_fp32(low_limit, tmp_path):
    from hybridrank.training.onnx.export import export_model
    from tests.training import tiny_checkpoints

    source = tiny_checkpoints.save(tmp_path / "source", "xlm-roberta")
    exported = low_limit(export_model, str(source), tmp_path / "out", precision="int8")
    assert files(exported.path) == {*ONE_FILE, *BESIDE} - {"model.fp32.onnx", "model.fp32.onnx.data"}
    assert in_process.load_model(exported.path).encoder


def save(path: Path, arrays):
    """Writes a graph that only holds arrays."""
    import onnx

    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in arrays.items()]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "weights", [], [], tensors)), str(path))


def test_only_small_tensors_of_a_large_graph_are_in_memory(low_limit, tmp_path):
    from hybridrank.training.onnx import graph_file

    arrays = {"matrix": np.arange(2**12, dtype=np.float32).reshape(-1, 8), "bias": np.arange(4, dtype=np.float32)}
    save(tmp_path / "model.onnx", arrays)
    matrix, bias = low_limit(graph_file.read, tmp_path / "model.onnx").graph.initializer
    assert (graph_file.referred(matrix), graph_file.referred(bias)) == (True, False)
    assert files(tmp_path) == {"model.onnx", "model.onnx.data"}
    parts = list(low_limit(lambda: list(graph_file.parts(matrix, tmp_path))))
    assert [len(each) for each in parts] == [32] * 16
    np.testing.assert_array_equal(graph_file.array(matrix, tmp_path), arrays["matrix"])


def test_a_renamed_graph_takes_its_weights_along(low_limit, tmp_path):
    from hybridrank.training.onnx import graph_file

    arrays = {"matrix": np.ones((2**6, 2**5), dtype=np.float32)}
    save(tmp_path / "model.onnx", arrays)
    low_limit(graph_file.read, tmp_path / "model.onnx")
    graph_file.rename(tmp_path / "model.onnx", tmp_path / "model.fp32.onnx")
    assert files(tmp_path) == {"model.fp32.onnx", "model.fp32.onnx.data"}
    np.testing.assert_array_equal(weights(tmp_path / "model.fp32.onnx")["matrix"], arrays["matrix"])
    graph_file.remove(tmp_path / "model.fp32.onnx")
    assert files(tmp_path) == set()


def test_a_file_of_weights_that_ends_early_is_an_error(low_limit, tmp_path):
    from hybridrank.training.onnx import graph_file

    save(tmp_path / "model.onnx", {"matrix": np.ones((2**6, 2**5), dtype=np.float32)})
    model = low_limit(graph_file.read, tmp_path / "model.onnx")
    (tmp_path / "model.onnx.data").write_bytes(bytes(100))
    with pytest.raises(EOFError, match="the weights of matrix end too early"):
        low_limit(graph_file.write, model, tmp_path / "other.onnx", tmp_path)
