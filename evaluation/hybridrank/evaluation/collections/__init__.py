"""Readers and checks of test collections, judgments and runs."""
