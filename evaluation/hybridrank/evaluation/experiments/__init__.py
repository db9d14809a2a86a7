"""Pipelines run over queries, and what they found."""
