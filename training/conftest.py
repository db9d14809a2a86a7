"""Leaves modules that need the extra `train` out of the collection of doctests where it is not installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["*/neural/*.py", "*/onnx/*.py"]
