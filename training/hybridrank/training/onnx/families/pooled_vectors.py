"""Poolings and layers that sentence-transformers runs on a text's vector, as a part of the graph."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from hybridrank.sidecar.in_process import SENTENCE_VECTORS
from hybridrank.training.onnx.families.last_token import at_last_token
from hybridrank.training.onnx.sources.checkpoint import Checkpoint, Module
from hybridrank.training.onnx.sources.dense import read_dense
from hybridrank.training.onnx.sources.source_files import ExportFailed, saved_json, saved_weights

__all__ = ["LAYERS", "POOLINGS", "PooledVectors", "layers_behind"]

VECTOR = "sentence_embedding"  # a vector's name among those that modules read and write


class PooledVectors(torch.nn.Module):  # type: ignore[misc]
    """An encoder with its poolings, one behind the other in a vector, its layers, and the dimensions that it keeps."""

    def __init__(self, encoder: Any, poolings: Sequence[str], layers: Sequence[Any], dimensions: int) -> None:
        super().__init__()
        encoder.config.use_cache = False
        self.encoder, self.layers = encoder, torch.nn.Sequential(*layers)
        self.poolings, self.dimensions = tuple(poolings), dimensions

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> dict[str, Any]:
        """Returns (batch, dimensions) under the name of the graph's output."""
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **segments).last_hidden_state
        pooled = torch.cat([POOLINGS[each](hidden, attention_mask) for each in self.poolings], dim=-1)
        return {SENTENCE_VECTORS: self.layers(pooled)[..., : self.dimensions]}


class UnitLength(torch.nn.Module):  # type: ignore[misc]
    """Vectors divided by their length."""

    def forward(self, vectors: Any) -> Any:
        """Returns the same shape."""
        return torch.nn.functional.normalize(vectors, dim=-1)


def layers_behind(checkpoint: Checkpoint, modules: Sequence[Module]) -> list[Any]:
    """Returns the layers of these modules, in their order; raises ExportFailed for one that cannot be computed."""
    return [LAYERS[each.kind](checkpoint.source, each.path) for each in modules]


def _mean(hidden: Any, mask: Any, power: float = 1.0, weights: Any = 1.0) -> Any:
    """Returns the weighted sums of rows, divided by the sum of their weights to this power."""
    share = (mask * weights).unsqueeze(-1).to(hidden.dtype)
    return (hidden * share).sum(dim=1) / share.sum(dim=1) ** power


def _weighted_mean(hidden: Any, mask: Any) -> Any:
    return _mean(hidden, mask, weights=torch.arange(1, mask.shape[1] + 1))


def _max(hidden: Any, mask: Any) -> Any:
    return hidden.masked_fill(mask.unsqueeze(-1) == 0, torch.finfo(hidden.dtype).min).max(dim=1).values


POOLINGS: Mapping[str, Callable[[Any, Any], Any]] = {  # by sentence-transformers' names
    "cls": lambda hidden, _: hidden[:, 0],
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": lambda hidden, mask: _mean(hidden, mask, 0.5),
    "weightedmean": _weighted_mean,
    "lasttoken": at_last_token,
}


def _dense(source: str, path: str) -> Any:
    config = saved_json(source, f"{path}/config.json")
    read = config.get("module_input_name") or VECTOR
    if (read, config.get("module_output_name") or read) != (VECTOR, VECTOR):
        raise ExportFailed(f"{source}/{path} is a layer of something else than {VECTOR} (module_input_name)")
    return read_dense(source, path)


def _layer_norm(source: str, path: str) -> Any:
    weights = {name.removeprefix("norm."): each for name, each in saved_weights(source, f"{path}/").items()}
    norm = torch.nn.LayerNorm(len(weights.get("bias", ())))
    try:
        norm.load_state_dict(weights)
    except RuntimeError as error:
        raise ExportFailed(f"the weights of {source}/{path} are not those of a LayerNorm") from error
    return norm


LAYERS: Mapping[str, Callable[[str, str], Any]] = {  # a module's class → its layer, read from a source and a path
    "Dense": _dense,
    "LayerNorm": _layer_norm,
    "Normalize": lambda *_: UnitLength(),
    "Dropout": lambda *_: torch.nn.Identity(),
}
