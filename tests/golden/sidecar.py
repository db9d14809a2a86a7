"""Writes the golden files of the sidecar: two tiny fp32 models with transformers' scores; the shipped models' own."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models import loading
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.types import TextKind
from tests.golden.texts import PAIRS, PASSAGES

FOLDER = Path(__file__).parent / "sidecar_files"
ORACLE = FOLDER / "transformers.json"
SHIPPED = FOLDER / "shipped.json"
TINY_KINDS = {"tiny-cross-encoder": "cross-encoder", "tiny-encoder": "encoder"}
SEED = 20


def rewrite() -> None:
    """Export the tiny models and write what transformers says; needs the train extra."""
    from hybridrank.training.onnx.export import export_model
    from tests.golden import tiny_models  # torch comes with it

    shutil.rmtree(FOLDER, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        for name, kind in TINY_KINDS.items():
            tiny_models.save(Path(temporary, name), kind, SEED)
            export_model(str(Path(temporary, name)), FOLDER / name, licence="Apache-2.0", precision="fp32")
        _dump(
            ORACLE,
            {
                "cross-encoder": tiny_models.logits(Path(temporary, "tiny-cross-encoder"), PAIRS),
                "dense": tiny_models.dense(Path(temporary, "tiny-encoder"), list(PASSAGES)),
                "late-interaction": tiny_models.late_interaction(Path(temporary, "tiny-encoder"), PAIRS),
            },
        )
    _dump(SHIPPED, shipped_scores(loading.load([SHIPPED_MODELS])))


def shipped_scores(models: Models) -> dict[str, Any]:
    """Returns the scores of the shipped models on this machine, each pair and each text alone."""
    encoder = models.encoder("encoder")
    sequences = encoder.tokenize_texts(PASSAGES, TextKind.DOCUMENT)
    vectors = np.concatenate([encoder.embed([sequence]) for sequence in sequences])
    scores: dict[str, Any] = {"cosines": (vectors @ vectors.T).astype(float).round(4).tolist()}
    for alias in ("cross-encoder", "nano", "colbert"):
        reranker = models.get(alias).reranker
        pairs = [pair for query, passage in PAIRS for pair in reranker.tokenize(query, [passage])]
        scores[alias] = [round(float(reranker.score([pair])[0]), 4) for pair in pairs]
    return scores


def _dump(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n")
