"""Takes layers out of a network while it learns: what each adds falls from all to nothing, one layer after another.

Dropped at once, a cross-encoder's layers leave a network that has forgotten how a passage is compared with a query,
and learns it anew for thousands of steps. Faded out, the layers that stay take the work over as it goes.
"""

from collections.abc import Iterable
from typing import Any

import torch
import transformers

__all__ = ["Fading"]


class Fading(transformers.TrainerCallback):  # type: ignore[misc]
    """Fades out every layer that is not `kept`, over `steps` in all.

    The share of a layer depends on the step alone, so that training goes on from a checkpoint as it would have.
    """

    def __init__(self, model: Any, kept: Iterable[int], steps: int) -> None:
        """Put each layer that goes into one that can fade."""
        layers, stay = model.base_model.encoder.layer, sorted(set(kept))
        gone = [number for number in range(len(layers)) if number not in stay]
        # The one farthest from a layer that stays goes first: it does least that a neighbour cannot do.
        gone.sort(key=lambda number: (-min(abs(number - other) for other in stay), number))
        for number in gone:
            layers[number] = _FadingLayer(layers[number])
        self._fading = [layers[number] for number in gone]
        self._steps = steps

    def on_step_begin(self, _arguments: Any, state: Any, _control: Any, **_: Any) -> None:
        """Set the shares for this step."""
        each = self._steps / max(1, len(self._fading))
        for place, layer in enumerate(self._fading):
            layer.share = min(1.0, max(0.0, place + 1 - state.global_step / each))


class _FadingLayer(torch.nn.Module):  # type: ignore[misc]
    """`share` of what the layer changes, from 1 to 0; at 0 it is not computed."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer, self.share = layer, 1.0

    def forward(self, hidden: torch.Tensor, *rest: Any, **options: Any) -> torch.Tensor:
        if not self.share:
            return hidden
        return hidden + self.share * (self.layer(hidden, *rest, **options) - hidden)
