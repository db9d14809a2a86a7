"""Runs of pipelines over queries, and their results."""
