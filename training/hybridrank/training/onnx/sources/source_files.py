"""Files beside a transformers model, in a folder or on the hub; only data is read, no code is run."""

import json
from pathlib import Path
from typing import Any

from transformers.modeling_utils import load_state_dict
from transformers.utils import cached_file

from hybridrank.common.errors import HybridrankError

__all__ = ["ExportFailed", "first_line", "saved_json", "saved_path", "saved_weights"]

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class ExportFailed(HybridrankError):
    """The model cannot be exported, or its export computes different results."""


def first_line(error: Exception) -> str:
    """Returns what a library's error says first: the rest is advice for those who program with it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])


def saved_path(source: str, name: str) -> Path | None:
    """Returns the path of a file of a folder or a hub repository; None if there is none."""
    try:
        path = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
    except OSError as error:
        raise ExportFailed(f"{source} is no folder and cannot be read from the hub: {first_line(error)}") from error
    return Path(path) if path else None


def saved_json(source: str, name: str) -> Any:
    """Returns a JSON file of a folder or a hub repository; an empty dict if there is none."""
    path = saved_path(source, name)
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (ValueError, RecursionError) as error:
        raise ExportFailed(f"{name} of {source} is no JSON that can be read: {error}") from error


def saved_weights(source: str, folder: str = "") -> dict[str, Any]:
    """Returns the tensors, by name, in `folder` of the source; raises ExportFailed if there are none."""
    for name in WEIGHTS:
        if path := saved_path(source, folder + name):
            try:
                return dict(load_state_dict(str(path)))
            except Exception as error:  # each format has its own class
                raise ExportFailed(f"{folder + name} of {source} cannot be read: {first_line(error)}") from error
    raise ExportFailed(f"{source} has no {' or '.join(folder + name for name in WEIGHTS)}")
