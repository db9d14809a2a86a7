"""`python -m tests.golden.colbert` writes two tiny ColBERT models and what PyLate makes of the same checkpoints.

By hand, in an environment with PyLate and the train extra; PyLate pins versions that ours need not.
"""

import json
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.golden.texts import PAIRS, PASSAGES, QUERY

FOLDER = Path(__file__).parent / "colbert_files"
ORACLE = FOLDER / "pylate.json"
NAMES = ("tiny-pylate", "tiny-colbert-ai")
PACKAGES = ("pylate", "sentence-transformers", "transformers", "torch")
SEED = 5


def rewrite() -> None:
    """Export both checkpoints at fp32 and score the pairs with PyLate."""
    from hybridrank.training.onnx.export import export_model
    from tests.golden import tiny_colbert

    shutil.rmtree(FOLDER, ignore_errors=True)
    oracle: dict[str, object] = {"versions": {package: version(package) for package in PACKAGES}}
    with tempfile.TemporaryDirectory() as temporary:
        pylate, colbert_ai = (Path(temporary, name) for name in NAMES)
        tiny_colbert.save_as_pylate(pylate, SEED)
        tiny_colbert.save_as_colbert_ai(colbert_ai, SEED, attend_to_mask_tokens=True)
        for source in (pylate, colbert_ai):
            export_model(str(source), FOLDER / source.name, licence="Apache-2.0", precision="fp32")
            oracle[source.name] = _scores(source)
    ORACLE.write_text(json.dumps(oracle, indent=1) + "\n")


def _scores(source: Path) -> dict[str, list[float]]:
    """Each pair alone; and the first query with all passages in one call, where shorter ones are padded with zeros."""
    from pylate import models, rank

    model = models.ColBERT(str(source), device="cpu")

    def rerank(query: str, passages: list[str]) -> list[float]:
        queries, documents = model.encode([query], is_query=True), model.encode(passages, is_query=False)
        (ranking,) = rank.rerank([list(range(len(passages)))], queries, [documents])
        return [float(each["score"]) for each in sorted(ranking, key=lambda each: each["id"])]

    alone = [rerank(query, [passage])[0] for query, passage in PAIRS]
    return {"alone": alone, "padded": rerank(QUERY, list(PASSAGES))}


if __name__ == "__main__":
    rewrite()
