"""Files beside a transformers model, in a folder or on the hub; only data is read, no code is run."""

import json
from pathlib import Path
from typing import Any

from transformers.modeling_utils import load_state_dict
from transformers.utils import cached_file

from hybridrank.common.errors import HybridrankError

__all__ = ["ExportFailed", "saved_json", "saved_weights"]

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class ExportFailed(HybridrankError):
    """The model cannot be exported, or its export computes different results."""


def saved_json(source: str, name: str) -> Any:
    """Returns a JSON file of a folder or a hub repository; an empty dict if there is none."""
    path = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
    return json.loads(Path(path).read_text(encoding="utf-8")) if path else {}


def saved_weights(source: str, folder: str = "") -> dict[str, Any]:
    """Returns the tensors, by name, in `folder` of the source; raises ExportFailed if there are none."""
    for name in WEIGHTS:
        if path := cached_file(source, folder + name, _raise_exceptions_for_missing_entries=False):
            return dict(load_state_dict(path))
    raise ExportFailed(f"{source} has no {' or '.join(folder + name for name in WEIGHTS)}")
