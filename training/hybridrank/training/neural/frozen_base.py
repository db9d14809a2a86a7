"""The student's network as it was before training, sharing the layers that training leaves as they are."""

import copy
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["FrozenBase"]


class FrozenBase:
    """Computes token rows by the initial weights, without a gradient.

    The student's first `frozen` layers, without dropout, are its own too: their output is kept and not computed again,
    so each call must follow the student's run on the same inputs, on one device.
    """

    def __init__(self, model: Any, frozen: int = 0) -> None:
        self.network = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        if frozen:
            kept = _KeptOutput(model.base_model.encoder.layer[frozen - 1])
            own = self.network.base_model.encoder
            own.layer = torch.nn.ModuleList([kept, *own.layer[frozen:]])

    def __call__(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Returns rows (texts, t, d)."""
        with torch.no_grad():
            rows: torch.Tensor = self.network.to(inputs["input_ids"].device)(**inputs).last_hidden_state
            return rows.float()


class _KeptOutput(torch.nn.Module):  # type: ignore[misc]
    """Stands for a layer and all before it: returns what that layer returned last."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        layer.register_forward_hook(self._keep)

    def _keep(self, _layer: Any, _arguments: Any, output: Any) -> None:
        self._last = output

    def forward(self, *_: Any, **__: Any) -> Any:
        return self._last
