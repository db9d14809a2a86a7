"""Model files and computation: ONNX Runtime, tokenizers, NumPy. This package knows no requests."""
