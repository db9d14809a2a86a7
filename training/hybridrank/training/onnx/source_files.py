"""Files beside a transformers model, in a folder or on the hub; only data is read, nothing is run."""

import json
from pathlib import Path
from typing import Any

from transformers.modeling_utils import load_state_dict
from transformers.utils import cached_file

__all__ = ["ExportFailed", "saved_json", "saved_weights"]

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class ExportFailed(Exception):
    """The model cannot be exported, or its export computes something else."""


def saved_json(source: str, name: str) -> Any:
    """A JSON file of a folder or a hub repository; an empty dict where there is none."""
    path = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
    return json.loads(Path(path).read_text(encoding="utf-8")) if path else {}


def saved_weights(source: str, folder: str = "") -> dict[str, Any]:
    """The tensors, by name, that lie in `folder` of the source; ExportFailed where there are none."""
    for name in WEIGHTS:
        if path := cached_file(source, folder + name, _raise_exceptions_for_missing_entries=False):
            return dict(load_state_dict(path))
    raise ExportFailed(f"{source} has no {' or '.join(folder + name for name in WEIGHTS)}")
