"""Leaves modules that write golden files with torch out of collection where it is not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["tiny_colbert.py", "tiny_models.py", "tiny_splade.py"]
