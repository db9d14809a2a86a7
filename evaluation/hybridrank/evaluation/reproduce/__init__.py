"""Experiment files with expected scores, to run again and compare."""
