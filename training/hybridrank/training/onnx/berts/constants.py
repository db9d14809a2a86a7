"""Constants of an ONNX graph by name, int8 ones as the fp32 numbers they stand for."""

from typing import Any

import numpy as np
import numpy.typing as npt

try:
    from onnx import helper, numpy_helper
except ImportError as error:
    raise ImportError(f"reading a graph needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["Array", "attribute", "constants"]

Array = npt.NDArray[Any]
QUANTIZED = "_quantized"


def constants(graph: Any) -> dict[str, Array]:
    """Returns the initializers of a GraphProto, its Constant nodes, and what Identity and Transpose make of them.

    A weight NAME at int8 is stored as NAME_quantized, NAME_zero_point and NAME_scale; it is found by both first names.
    """
    found = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for stored in [each for each in found if each.endswith(QUANTIZED)]:
        name = stored.removesuffix(QUANTIZED)
        if f"{name}_scale" in found:
            found[stored] = found[name] = _dequantized(found, name)
    for node in graph.node:
        if node.op_type == "Constant":
            value = helper.get_attribute_value(node.attribute[0])
            found[node.output[0]] = numpy_helper.to_array(value) if hasattr(value, "raw_data") else np.array(value)
        elif node.op_type in ("Identity", "Transpose") and node.input[0] in found:
            array = found[node.input[0]]
            turned = node.op_type == "Transpose"
            found[node.output[0]] = np.transpose(array, attribute(node, "perm")) if turned else array
    return found


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """Returns an attribute of a node, `default` if it has none of this name."""
    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)


def _dequantized(found: dict[str, Array], name: str) -> Array:
    """Returns (weight - zero point) × scale; both are one number or one per column."""
    whole = found[name + QUANTIZED].astype(np.int32) - found[f"{name}_zero_point"].astype(np.int32)
    return np.asarray(whole * found[f"{name}_scale"], dtype=np.float32)
