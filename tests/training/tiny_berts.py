"""A small BERT whose biases and norms differ from each other, as they do once a model was trained."""

from pathlib import Path

import numpy as np


def save(folder: Path, kind: str, seed: int) -> None:
    """As `tiny_models.save`. Torch's exporter stores what is alike once, which a fresh model is full of."""
    from safetensors.numpy import load_file, save_file

    from tests.golden import tiny_models

    tiny_models.save(folder, kind, seed)
    random, file = np.random.default_rng(seed), folder / "model.safetensors"
    weights = load_file(file)
    for name, array in weights.items():
        if array.ndim == 1:
            weights[name] = array + random.normal(scale=0.1, size=array.shape).astype(np.float32)
    save_file(weights, file, metadata={"format": "pt"})
