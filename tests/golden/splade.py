"""Writes the golden files of SPLADE: a tiny model at fp32, and what sentence-transformers computes with it."""

import json
import shutil
import tempfile
from pathlib import Path

from tests.golden.texts import PASSAGES, QUERY

FOLDER = Path(__file__).parent / "splade_files"
TINY = FOLDER / "tiny-splade"
ORACLE = FOLDER / "sentence_transformers.json"
SEED = 7


def rewrite() -> None:
    """Export the tiny model and write each text's weights by token; needs the train extra."""
    from hybridrank.training.onnx.export import export_model
    from tests.golden import tiny_splade  # torch comes with it

    shutil.rmtree(FOLDER, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        source = tiny_splade.save(Path(temporary, "tiny-splade"), SEED)
        export_model(str(source), TINY, licence="Apache-2.0", precision="fp32")
        weights = tiny_splade.weights(source, [QUERY, *PASSAGES])
    ORACLE.write_text(json.dumps(weights, indent=1) + "\n")
