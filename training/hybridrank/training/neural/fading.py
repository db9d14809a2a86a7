"""Removes layers from a network during training: the contribution of one layer after another falls from 1 to 0.

If a cross-encoder's layers are dropped at once, the network can no longer compare a passage with a query and needs
thousands of steps to relearn it. If they fade out, the remaining layers take over the work gradually.
"""

from collections.abc import Iterable
from typing import Any

import torch
import transformers

__all__ = ["Fading"]


class Fading(transformers.TrainerCallback):  # type: ignore[misc]
    """Fades out every layer that is not `kept`, over `steps` steps in total.

    The share of a layer depends only on the step, so that training from a checkpoint continues identically.
    """

    def __init__(self, model: Any, kept: Iterable[int], steps: int) -> None:
        """Wraps each layer to remove in one that can fade."""
        layers, stay = model.base_model.encoder.layer, sorted(set(kept))
        gone = [number for number in range(len(layers)) if number not in stay]
        # The layer farthest from a kept one goes first: its neighbours can best replace it.
        gone.sort(key=lambda number: (-min(abs(number - other) for other in stay), number))
        for number in gone:
            layers[number] = _FadingLayer(layers[number])
        self._fading = [layers[number] for number in gone]
        self._steps = steps

    def on_step_begin(self, _arguments: Any, state: Any, _control: Any, **_: Any) -> None:
        """Sets the shares for this step."""
        each = self._steps / max(1, len(self._fading))
        for place, layer in enumerate(self._fading):
            layer.share = min(1.0, max(0.0, place + 1 - state.global_step / each))


class _FadingLayer(torch.nn.Module):  # type: ignore[misc]
    """Applies `share` of the layer's change, from 1 to 0; at 0 the layer is not computed."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer, self.share = layer, 1.0

    def forward(self, hidden: torch.Tensor, *rest: Any, **options: Any) -> torch.Tensor:
        if not self.share:
            return hidden
        return hidden + self.share * (self.layer(hidden, *rest, **options) - hidden)
