"""The longest input of a checkpoint, in tokens."""

from collections.abc import Mapping
from typing import Any

import torch
import transformers

from hybridrank.training.onnx.sources import sentence_files
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.default_length import SHORTEST, Length, default_length
from hybridrank.training.onnx.sources.source_files import ExportFailed, first_line

__all__ = ["POSITIONS", "chosen_length", "positions", "stated_lengths"]

NO_LIMIT = 10**9  # a tokenizer without a length says 10**30
POSITIONS = "its positions"


def stated_lengths(checkpoint: Checkpoint) -> dict[str, int | None]:
    """Returns the limits of the tokenizer, the positions and sentence-transformers, by the places that state them."""
    said = {
        "model_max_length in tokenizer_config.json": checkpoint.tokenizer.model_max_length,
        POSITIONS: positions(checkpoint.config),
        "max_seq_length of sentence-transformers": sentence_files.settings(checkpoint).get("max_seq_length"),
    }
    return {place: int(limit) if limit and limit < NO_LIMIT else None for place, limit in said.items()}


def chosen_length(checkpoint: Checkpoint, asked: int | None, stated: Mapping[str, int | None]) -> Length:
    """Returns what was asked for, else the default for the stated limits; raises ExportFailed for neither."""
    if asked is not None:
        read = stated.get(POSITIONS)
        if not SHORTEST <= asked <= (read or asked):
            raise ExportFailed(f"{checkpoint.source} cannot read {asked} tokens; it reads 8 to {read or 'any number'}")
        return Length(asked, "as asked")
    length = default_length(stated)
    if length is None:
        raise ExportFailed(f"no file of {checkpoint.source} says how many tokens it reads; say it with --max-tokens")
    return length


def positions(config: Any) -> int | None:
    """Returns the number of token positions that the model distinguishes, None if not bounded.

    RoBERTa and its descendants count them from behind the padding id, so that the first rows of the table are unused.
    """
    found: int | None = getattr(config, "max_position_embeddings", None)
    if not found or found < 0:
        return None
    try:
        with torch.device("meta"):  # the modules without memory for their weights
            model = transformers.AutoModel.from_config(config)
    except Exception as error:  # of many classes
        raise ExportFailed(f"config.json describes no {config.model_type} that can be: {first_line(error)}") from error
    tables = (each for name, each in model.named_modules() if name.endswith("position_embeddings"))
    paddings = [each.padding_idx for each in tables if getattr(each, "padding_idx", None) is not None]
    return found - (paddings[0] + 1 if paddings else 0)
