"""Parts that only the first token's result needs are computed for the first token alone, with the same result."""

import numpy as np
import onnxruntime
import pytest

pytestmark = pytest.mark.torch

WIDTH = 8


def model(*, used_elsewhere):
    """Tokens are mixed, go through a layer with a residual, and the first is taken."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(3)
    weights = {
        "w": random.normal(size=(WIDTH, WIDTH)),
        "b": random.normal(size=WIDTH),
        "scale": random.normal(size=WIDTH),
        "shift": random.normal(size=WIDTH),
    }
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    constants.append(numpy_helper.from_array(np.array(0), "zero"))
    nodes = [
        helper.make_node("Transpose", ["x"], ["xt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "xt"], ["likeness"]),
        helper.make_node("Softmax", ["likeness"], ["shares"], axis=-1),
        helper.make_node("MatMul", ["shares", "x"], ["mixed"]),
        helper.make_node("MatMul", ["mixed", "w"], ["projected"]),
        helper.make_node("Add", ["projected", "b"], ["biased"]),
        helper.make_node("Add", ["biased", "x"], ["added"]),
        helper.make_node("LayerNormalization", ["added", "scale", "shift"], ["normed"], axis=-1),
        helper.make_node("Gather", ["normed", "zero"], ["first"], axis=1),
    ]
    outputs = [helper.make_tensor_value_info("first", TensorProto.FLOAT, ["texts", WIDTH])]
    if used_elsewhere:
        outputs.append(helper.make_tensor_value_info("normed", TensorProto.FLOAT, ["texts", "tokens", WIDTH]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["texts", "tokens", WIDTH])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model, values):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(["first"], {"x": values})[0]


def test_operators_after_the_last_mixing_see_one_token():
    from onnx import shape_inference

    from hybridrank.training.onnx.first_token import first_token_only

    values = np.random.default_rng(4).normal(size=(3, 5, WIDTH)).astype(np.float32)
    graph = model(used_elsewhere=False)
    before = run(graph, values)
    assert first_token_only(graph.graph) == 4
    np.testing.assert_array_equal(run(graph, values), before)
    inferred = shape_inference.infer_shapes(graph).graph.value_info
    tokens = {each.name: each.type.tensor_type.shape.dim[1] for each in inferred if each.name != "xt"}
    assert {name: tokens[name].dim_value for name in ("projected", "biased", "added", "normed")} == {
        "projected": 1,
        "biased": 1,
        "added": 1,
        "normed": 1,
    }
    assert tokens["mixed"].dim_param == "tokens"


def test_outputs_with_other_readers_are_computed_for_all_tokens():
    from hybridrank.training.onnx.first_token import first_token_only

    graph = model(used_elsewhere=True)
    before = graph.SerializeToString()
    assert first_token_only(graph.graph) == 0
    assert graph.SerializeToString() == before
