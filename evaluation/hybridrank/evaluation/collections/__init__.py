"""Test collections, judgments and runs: read, named, checked."""
