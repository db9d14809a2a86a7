"""The weights of query tokens of an inference-free SPLADE model: in its files they are called IDF."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridrank.sidecar.in_process import QUERY_WEIGHTS
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.source_files import ExportFailed, saved_path, saved_weights

__all__ = ["QueryWeights", "query_weights"]

IDF = "idf.json"  # token → weight


@dataclass(frozen=True)
class QueryWeights:
    """query_weights.npy of a model folder, which model.toml names by its SHA-256."""

    content: bytes

    @property
    def sha256(self) -> str:
        """The SHA-256 in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def files(self) -> Mapping[str, bytes]:
        """The file by its name."""
        return {QUERY_WEIGHTS: self.content}


def query_weights(checkpoint: Checkpoint) -> QueryWeights | None:
    """Returns the weights of query tokens; None for a model that also computes queries. Raises ExportFailed."""
    if checkpoint.query_modules:
        (static,) = checkpoint.query_modules
        within = f"{static.path}/" if static.path else ""
        _require_same_tokens(checkpoint, within)
        path = str(checkpoint.json(f"{within}config.json").get("path") or "")
        if path.endswith(".json"):
            return _of_json(checkpoint, path if saved_path(checkpoint.source, path) else IDF)
        weights = saved_weights(checkpoint.source, within).get("weight")
        if weights is None:
            raise ExportFailed(f"{checkpoint.source} has no tensor weight in {within}")
        return _checked(checkpoint, np.asarray(weights.float().numpy()))
    if not checkpoint.modules and saved_path(checkpoint.source, IDF):
        return _of_json(checkpoint, IDF)
    return None


def _of_json(checkpoint: Checkpoint, name: str) -> QueryWeights:
    said: Any = checkpoint.json(name)
    vocabulary = checkpoint.tokenizer.get_vocab()
    weights = np.zeros(1 + max(vocabulary.values()), dtype=np.float32)
    if not isinstance(said, dict) or not said:
        raise ExportFailed(f"{name} of {checkpoint.source} is no object of tokens with their weights")
    for token, weight in said.items():
        if token not in vocabulary or not isinstance(weight, (int, float)):
            raise ExportFailed(f"{name} of {checkpoint.source} has {token!r}: {weight!r}, no weight of a known token")
        weights[vocabulary[token]] = weight
    return _checked(checkpoint, weights)


def _checked(checkpoint: Checkpoint, weights: Any) -> QueryWeights:
    if weights.ndim != 1 or not np.isfinite(weights).all():
        raise ExportFailed(f"{checkpoint.source} has weights of query tokens that are not one finite number a token")
    file = io.BytesIO()
    np.save(file, weights.astype("<f4"), allow_pickle=False)
    return QueryWeights(file.getvalue())


def _require_same_tokens(checkpoint: Checkpoint, within: str) -> None:
    """Raises ExportFailed if queries are cut into other tokens than documents."""
    name = f"{within}tokenizer.json"
    theirs = checkpoint.json(name)
    ours = f"{checkpoint.folder}/tokenizer.json" if checkpoint.folder else "tokenizer.json"
    parts = ("model", "normalizer", "pre_tokenizer")
    if theirs and any(theirs.get(part) != checkpoint.json(ours).get(part) for part in parts):
        raise ExportFailed(
            f"{checkpoint.source} cuts queries into other tokens than documents: {name} and {ours} differ"
        )
