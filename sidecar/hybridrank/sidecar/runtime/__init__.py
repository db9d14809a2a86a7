"""What reads model files and computes: ONNX Runtime, tokenizers, NumPy. Nothing here knows of requests."""
