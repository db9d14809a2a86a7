"""BERTs read back from ONNX graphs: their weights by transformers' names, and their configuration."""
