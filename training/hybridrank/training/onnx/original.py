"""The model that an export is compared with: loaded for a moment, because a large one and its graph are too much."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hybridrank.sidecar.in_process import INPUTS, OnnxSession, TextTokenizer, padded
from hybridrank.training.onnx.families.plan import Plan
from hybridrank.training.onnx.sources.checkpoint import Checkpoint, load_weights

__all__ = ["Original", "difference", "load"]

SAMPLES = ("short", "A longer sentence, with numbers 1 2 3 and an émoji 😀.", "one two three four five " * 12)
BATCHES = (SAMPLES[:1], SAMPLES)  # of other shapes than in tracing


@dataclass(frozen=True)
class Original:
    """A torch module with the inputs `names`, one of whose outputs is `output`."""

    model: Any
    names: tuple[str, ...]
    output: str

    def outputs(self, tokenizer: TextTokenizer) -> tuple[npt.NDArray[np.float32], ...]:
        """Returns the output for each of BATCHES."""
        found = []
        for texts in BATCHES:
            inputs = padded(tokenizer.singles(texts), tokenizer.padding_id)
            with torch.inference_mode():
                rows = self.model(**{name: torch.from_numpy(inputs[name]) for name in self.names})
            found.append(rows[self.output].numpy())
        return tuple(found)


def load(checkpoint: Checkpoint, plan: Plan) -> Original:
    """Loads the weights, and wraps the model as the plan says."""
    loaded = load_weights(checkpoint, plan.auto)
    read = inspect.signature(loaded.forward).parameters.keys() & set(checkpoint.tokenizer.model_input_names)
    return Original(plan.wrap(loaded).eval(), tuple(name for name in INPUTS if name in read), plan.output)


def difference(session: OnnxSession, tokenizer: TextTokenizer, wanted: Sequence[Any]) -> float:
    """Returns the largest difference between a graph's output and the original's outputs."""
    differences = []
    for texts, rows in zip(BATCHES, wanted, strict=True):
        sequences = tokenizer.singles(texts)
        found = session.run(sequences)
        real = np.arange(rows.shape[1]) < np.array([[len(sequence)] for sequence in sequences])
        keep = real if rows.ndim == 3 else np.ones(rows.shape, dtype=bool)
        differences.append(float(np.abs(rows - found)[keep].max()))
    return float(np.max(differences))  # NaN if one is NaN
