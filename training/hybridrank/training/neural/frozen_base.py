"""The student's network as it was before training, sharing the layers that training leaves as they are."""

import copy
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["FrozenBase"]


class FrozenBase:
    """Computes token rows by the initial weights, without a gradient.

    The student's first `frozen` layers are its own too: what they made of a batch is kept and not computed again, so
    each call must follow the student's run on the same inputs. They have to be without dropout.
    """

    def __init__(self, model: Any, frozen: int = 0) -> None:
        self.network = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        if frozen:
            made = _Made(model.base_model.encoder.layer[frozen - 1])
            own = self.network.base_model.encoder
            own.layer = torch.nn.ModuleList([made, *own.layer[frozen:]])

    def __call__(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Returns rows (texts, t, d)."""
        with torch.no_grad():
            rows: torch.Tensor = self.network.to(inputs["input_ids"].device)(**inputs).last_hidden_state
            return rows.float()


class _Made(torch.nn.Module):  # type: ignore[misc]
    """Stands for a layer and all before it: returns what that layer returned last."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        layer.register_forward_hook(self._keep)

    def _keep(self, _layer: Any, _arguments: Any, made: Any) -> None:
        self._last = made

    def forward(self, *_: Any, **__: Any) -> Any:
        return self._last
