"""Imports an ONNX file and its tokenizer as a model folder of the sidecar; needs no torch."""
