"""The longest input of a checkpoint, in tokens."""

from typing import Any

import torch
import transformers

from hybridrank.training.onnx.sources import sentence_files
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.source_files import ExportFailed, first_line

__all__ = ["max_tokens", "positions"]

SHORTEST = 8
NO_LIMIT = 10**9  # a tokenizer without a length says 10**30


def max_tokens(checkpoint: Checkpoint, asked: int | None = None, longest: int | None = None) -> int:
    """Returns `asked`, else the smallest limit of the tokenizer, the positions, sentence-transformers and `longest`."""
    read = positions(checkpoint.config)
    if asked is not None:
        if not SHORTEST <= asked <= (read or asked):
            raise ExportFailed(f"{checkpoint.source} cannot read {asked} tokens; it reads 8 to {read or 'any number'}")
        return asked
    sentence = sentence_files.settings(checkpoint).get("max_seq_length")
    limits = (checkpoint.tokenizer.model_max_length, read, sentence, longest)
    shortest = min((int(each) for each in limits if each and each < NO_LIMIT), default=None)
    if shortest is None:
        raise ExportFailed(f"no file of {checkpoint.source} says how many tokens it reads; say it with --max-tokens")
    return shortest


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
