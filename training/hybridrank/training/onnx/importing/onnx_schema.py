"""The messages and fields of ONNX files that an import, or a test of it, reads or changes; `onnx` is not needed.

Other fields pass through a read and a write unchanged. Numbers are those of onnx.proto, which never change.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["Model"]

PACKAGE = "hybridrank.onnx"
TYPES = {"int": 3, "text": 9, "bytes": 12}  # of FieldDescriptorProto; any other name is a message
# Field: number, type; "*" marks a repeated one.
MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {"graph": (7, "Graph"), "opset_import": (8, "*Opset"), "functions": (25, "*Function")},
    "Opset": {"domain": (1, "text"), "version": (2, "int")},
    "Function": {"name": (1, "text"), "node": (7, "*Node"), "domain": (10, "text")},
    "Graph": {
        "node": (1, "*Node"),
        "initializer": (5, "*Tensor"),
        "input": (11, "*Value"),
        "output": (12, "*Value"),
        "sparse_initializer": (15, "*SparseTensor"),
    },
    "Node": {
        "input": (1, "*text"),
        "output": (2, "*text"),
        "op_type": (4, "text"),
        "attribute": (5, "*Attribute"),
        "domain": (7, "text"),
    },
    "Attribute": {
        "name": (1, "text"),
        "i": (3, "int"),
        "t": (5, "Tensor"),
        "g": (6, "Graph"),
        "tensors": (10, "*Tensor"),
        "graphs": (11, "*Graph"),
        "type": (20, "int"),
        "sparse_tensor": (22, "SparseTensor"),
        "sparse_tensors": (23, "*SparseTensor"),
    },
    "SparseTensor": {"values": (1, "Tensor"), "indices": (2, "Tensor")},
    "Tensor": {
        "data_type": (2, "int"),
        "name": (8, "text"),
        "raw_data": (9, "bytes"),
        "external_data": (13, "*Entry"),
        "data_location": (14, "int"),
    },
    "Entry": {"key": (1, "text"), "value": (2, "text")},
    "Value": {"name": (1, "text"), "type": (2, "Type")},
    "Type": {"tensor_type": (1, "TensorType")},
    "TensorType": {"elem_type": (1, "int"), "shape": (2, "Shape")},
    "Shape": {"dim": (1, "*Dimension")},
    "Dimension": {"dim_value": (1, "int"), "dim_param": (2, "text")},
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="hybridrank/onnx_subset.proto", package=PACKAGE, syntax="proto2")
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for field, (number, named) in fields.items():
            kind = named.lstrip("*")
            added = described.field.add(name=field, number=number, label=3 if named.startswith("*") else 1)
            added.type = TYPES.get(kind, 11)  # type: ignore[assignment]
            if kind not in TYPES:
                added.type_name = f".{PACKAGE}.{kind}"
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())


Model: Any = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.Model"))
