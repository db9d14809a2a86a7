"""Experiments as files with expected scores, run again and compared."""
