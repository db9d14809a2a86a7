"""A layer norm with an addition inside becomes additions and a layer norm that compute the same."""

import numpy as np
import onnxruntime
import pytest

pytestmark = pytest.mark.torch


def model(helper, *, bias):
    from onnx import TensorProto

    width = ["rows", "tokens", 8]
    inputs = ["x", "skip", "scale", "shift", *(["bias"] if bias else [])]
    shapes = {"x": width, "skip": width, "scale": [8], "shift": [8], "bias": [8]}
    node = helper.make_node("SkipLayerNormalization", inputs, ["y"], domain="com.microsoft", epsilon=1e-12)
    declared = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in inputs]
    graph = helper.make_graph([node], "g", declared, [helper.make_tensor_value_info("y", TensorProto.FLOAT, width)])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(model, feed):
    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, disabled_optimizers=["SkipLayerNormFusion"]
    )
    return session.run(None, feed)[0]


@pytest.mark.parametrize("bias", [True, False])
def test_a_split_norm_computes_the_same(bias):
    from onnx import helper

    from hybridrank.training.onnx.split_norms import split_norms

    random = np.random.default_rng(7)
    feed = {name: random.normal(size=(2, 5, 8)).astype(np.float32) for name in ("x", "skip")}
    feed |= {name: random.normal(size=8).astype(np.float32) for name in ("scale", "shift", "bias")[: 3 if bias else 2]}
    graph = model(helper, bias=bias)
    before = run(graph, feed)
    assert split_norms(graph.graph) == (2 if bias else 1)
    additions = ["Add", "Add"] if bias else ["Add"]
    assert [node.op_type for node in graph.graph.node] == [*additions, "LayerNormalization"]
    np.testing.assert_allclose(run(graph, feed), before, atol=1e-5)
    assert np.abs(before).max() > 1
