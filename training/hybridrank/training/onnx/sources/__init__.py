"""Reads the files of checkpoints: of transformers, sentence-transformers, colbert-ai and PyLate."""
