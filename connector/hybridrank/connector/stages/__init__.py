"""Stages of a search, one file each."""
