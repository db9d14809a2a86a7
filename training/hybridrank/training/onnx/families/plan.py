"""The plan that a family makes of a checkpoint before its weights are read."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import transformers

from hybridrank.model_files.model_folder import OnnxToml
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.lengths import chosen_length, stated_lengths

__all__ = ["Asked", "Family", "Plan"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """The caller's part of the description; what is None, the files or the template shall decide."""

    name: str
    licence: str = "unknown"
    languages: tuple[str, ...] = ()
    max_tokens: int | None = None
    relevant_label: str | None = None
    kind: str | None = None
    template: str | None = None
    instruction: str | None = None
    answers: tuple[str, ...] = ()
    query_prefix: str | None = None
    document_prefix: str | None = None

    def fields(self, checkpoint: Checkpoint, lengths: Mapping[str, int | None] | None = None) -> dict[str, Any]:
        """Returns the fields of model.toml that every model has; `lengths` stand for the limits that its files state.

        Logs the length that was chosen and why, unless it was asked for.
        """
        length = chosen_length(checkpoint, self.max_tokens, lengths or stated_lengths(checkpoint))
        if self.max_tokens is None:
            log.info("%s %s", self.name, length)
        return {
            "name": self.name,
            "version": "1",
            "precision": "fp32",
            "max_tokens": length.tokens,
            "licence": self.licence,
            "languages": self.languages,
        }


def unchanged(model: Any) -> Any:
    """Returns the model as transformers loads it."""
    return model


@dataclass(frozen=True)
class Plan:
    """The way from a checkpoint to a graph.

    `auto` is the class of transformers that loads the weights, `wrap` makes of that model the module whose output
    `output` the graph has, and `lower_case` makes the tokenizer lower texts before anything else. `files`, name →
    content, are further files of the folder, which `toml` names by their digests.
    """

    toml: OnnxToml
    output: str
    auto: Any = transformers.AutoModel
    wrap: Callable[[Any], Any] = unchanged
    lower_case: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict)


Family = Callable[[Checkpoint, Asked], Plan | None]
"""Returns None if the checkpoint is none of this family; raises ExportFailed if it is one that cannot be served."""
