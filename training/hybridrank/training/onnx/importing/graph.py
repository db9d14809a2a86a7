"""An ONNX graph as the sidecar runs it: checks its operators, weights, inputs and output, and names the output."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from hybridrank.sidecar.in_process import INPUTS
from hybridrank.training.onnx.importing.errors import ImportRefused
from hybridrank.training.onnx.importing.onnx_schema import Model
from hybridrank.training.onnx.importing.walk import nodes, tensors

__all__ = ["Heads", "checked", "parsed", "with_output"]

FLOAT, INTEGERS, HALVES = 1, (6, 7), {10: "float16", 16: "bfloat16"}  # of onnx.TensorProto.DataType
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")  # of operators that every build of ONNX Runtime has
QUANTISED = frozenset(
    {
        *(
            "DequantizeLinear",
            "DynamicQuantizeLinear",
            "DynamicQuantizeMatMul",
            "MatMulInteger",
            "MatMulIntegerToFloat",
        ),
        *("MatMulNBits", "QAttention", "QLinearMatMul", "QuantizeLinear"),
    }
)


@dataclass(frozen=True)
class Heads:
    """The outputs that a kind of models may end in, as (batch, …) of so many dimensions; `served` is the sidecar's."""

    served: str
    known: tuple[str, ...]
    dimensions: int


def parsed(content: bytes) -> Any:
    """Returns the model; raises ImportRefused if it is no ONNX."""
    try:
        model = Model.FromString(content)
    except DecodeError as error:
        raise ImportRefused("is no ONNX file") from error
    if not (model.graph.node and model.graph.output):
        raise ImportRefused("is no ONNX file: it has no graph with an output")
    return model


def checked(model: Any, heads: Heads, asked: str | None = None) -> str:
    """Returns the name of the output to serve: `asked`, or a known one.

    Raises ImportRefused with what the sidecar cannot run or reproduce.
    """
    opsets = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if len(opsets) != 1:
        raise ImportRefused(f"names {len(opsets)} versions of the ONNX operators; one is needed")
    own = {(each.domain, each.name) for each in model.functions}
    for node in nodes(model):
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in own:
            raise ImportRefused(f"needs the custom operator {node.domain}:{node.op_type}, which the sidecar has not")
        if node.op_type in QUANTISED:
            raise ImportRefused(
                f"is quantised already ({node.op_type}); import the fp32 file, whose scores the self-test needs, and"
                " say --quantize"
            )
    for tensor in tensors(model):
        if tensor.data_type in HALVES:
            raise ImportRefused(f"holds {HALVES[tensor.data_type]} weights; import the fp32 file")
    _check_inputs(model.graph)
    return _output(model.graph, heads.known if asked is None else (asked,), heads.dimensions)


def _check_inputs(graph: Any) -> None:
    weights = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in weights]
    for value in inputs:
        declared = value.type.tensor_type
        if value.name not in INPUTS:
            raise ImportRefused(f"has an input {value.name}; the sidecar knows {', '.join(INPUTS)}")
        if declared.elem_type not in INTEGERS:
            raise ImportRefused(f"has an input {value.name} that is neither int32 nor int64")
        fixed = [str(each.dim_value) for each in declared.shape.dim if each.HasField("dim_value")]
        if fixed or len(declared.shape.dim) != 2:
            raise ImportRefused(
                f"has an input {value.name} of shape {_shape(value)}; it must be (batch, tokens), both dynamic"
            )
    for needed in INPUTS[:2]:
        if needed not in {each.name for each in inputs}:
            raise ImportRefused(f"has no input {needed}, so padding would change its scores")


def _output(graph: Any, names: Sequence[str], dimensions: int) -> str:
    outputs = {each.name: each for each in graph.output}
    name = next((each for each in names if each in outputs), None)
    if name is None:
        known = ", ".join(f"{each.name} {_shape(each)}" for each in graph.output)
        raise ImportRefused(
            f"has no output {' or '.join(names)}; it has {known}; is --kind right for it? If so, say --output with the"
            f" one of {dimensions} dimensions"
        )
    if len(outputs) != len(graph.output):
        raise ImportRefused("names one of its outputs twice")
    declared = outputs[name].type.tensor_type
    if declared.elem_type != FLOAT:
        raise ImportRefused(f"has an output {name} that is not float32; import the fp32 file")
    if len(declared.shape.dim) != dimensions:
        raise ImportRefused(
            f"has an output {name} of shape {_shape(outputs[name])}; it must have {dimensions} dimensions"
        )
    if any(each.HasField("dim_value") for each in declared.shape.dim[: dimensions - 1]):
        raise ImportRefused(f"has an output {name} of shape {_shape(outputs[name])}; only its last may be fixed")
    return name


def with_output(model: Any, name: str, served: str) -> bool:
    """Leaves `name` as the only output, as `served`; returns whether the model changed."""
    graph = model.graph
    if [each.name for each in graph.output] == [served]:
        return False
    (kept,) = [each for each in graph.output if each.name == name]
    if name != served:
        if any(served in (*node.input, *node.output) for node in graph.node):
            raise ImportRefused(f"uses the name {served} inside, so its output {name} cannot get it")
        graph.node.add(op_type="Identity", input=[name], output=[served])
        kept.name = served
    for index in reversed(range(len(graph.output))):
        if graph.output[index].name != served:
            del graph.output[index]
    return True


def _shape(value: Any) -> str:
    sizes = [
        str(each.dim_value) if each.HasField("dim_value") else each.dim_param or "?"
        for each in value.type.tensor_type.shape.dim
    ]
    return f"({', '.join(sizes)})"
