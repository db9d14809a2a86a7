"""Compares a written model folder with its source, for `--check`."""
