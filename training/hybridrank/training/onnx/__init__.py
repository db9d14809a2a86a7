"""Model folders from transformers models, and changes to ONNX graphs."""
