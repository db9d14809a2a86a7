"""Trained weights → a model folder for the sidecar: int8 if it ranks the dev lists as well as fp32."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hybridrank.model_files import model_folder
from hybridrank.model_files.model_folder import EncoderToml, ModelFolder
from hybridrank.sidecar import in_process
from hybridrank.training.neural.dev import ALONE, BLENDED, dev_ndcg
from hybridrank.training.neural.lists import RankedList
from hybridrank.training.neural.reading import Reading
from hybridrank.training.neural.recipe import Recipe
from hybridrank.training.onnx.export import ExportFailed, export_model
from hybridrank.training.onnx.transformers_files import write_sentence_transformers

__all__ = ["INT8_LOSS", "Measured", "package", "save_transformers"]

INT8_LOSS = 0.005  # in nDCG@10 on dev, at most


@dataclass(frozen=True, slots=True)
class Measured:
    """nDCG@10 on dev at each precision (how → collection → value), and why int8 is missing; see `dev_ndcg`."""

    fp32: Mapping[str, Mapping[str, float]]
    int8: Mapping[str, Mapping[str, float]] | None
    refused: str = ""

    @property
    def served(self) -> Mapping[str, Mapping[str, float]]:
        """The values of the precision that the folder serves."""
        return self.int8 or self.fp32


def save_transformers(model: Any, tokenizer: Any, recipe: Recipe, reading: Reading, folder: Path) -> Path:
    """Writes the weights in transformers' format, for an encoder also in sentence-transformers'.

    An export starts from it.
    """
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if recipe.kind != "cross-encoder":
        toml = EncoderToml(
            kind="encoder",
            name=recipe.name,
            version="1",
            precision="fp32",
            licence=recipe.licence,
            max_tokens=recipe.student.max_tokens,
            dimensions=model.config.hidden_size,
            **asdict(reading),
        )
        write_sentence_transformers(folder, toml)
    return folder


def package(source: Path, recipe: Recipe, dev: Sequence[RankedList], out: Path) -> tuple[ModelFolder, Measured]:
    """Exports `source` to `out`, fp32 beside int8, and measures both on `dev`.

    An int8 model that fails its self-test or loses more than INT8_LOSS is refused: then the folder has only fp32, and
    `refused` has the reason. Earlier content of `out` is replaced at the end. Raises ExportFailed.
    """
    partial = out.with_name(f"{out.name}.part")
    try:
        _export(source, recipe, partial, "both")
        fp32, int8 = (_measure(partial, recipe, dev, precision) for precision in ("fp32", "int8"))
        how = ALONE if recipe.kind == "encoder" else BLENDED
        loss = fp32[how]["all"] - int8[how]["all"]
        refused = f"int8 loses {loss:.4f} nDCG@10 on dev, over {INT8_LOSS}" if loss > INT8_LOSS else ""
        measured = Measured(fp32, None if refused else int8, refused)
    except ExportFailed as error:
        refused = str(error)
    if refused:
        _export(source, recipe, partial, "fp32")
        measured = Measured(_measure(partial, recipe, dev, "fp32"), None, refused)
    (partial / "dev.json").write_text(json.dumps(asdict(measured), indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return model_folder.read(out), measured


def _export(source: Path, recipe: Recipe, folder: Path, precision: Literal["both", "fp32"]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    exported = export_model(
        str(source),
        folder,
        name=recipe.name,
        licence=recipe.licence,
        precision=precision,
        max_tokens=recipe.student.max_tokens,
        languages=recipe.languages,
    )
    model_folder.write(
        folder, exported.toml.model_copy(update={"aliases": recipe.aliases, "blend_weight": recipe.blend_weight})
    )


def _measure(folder: Path, recipe: Recipe, dev: Sequence[RankedList], precision: Any) -> dict[str, dict[str, float]]:
    """Measures the trained scoring: the vectors of an encoder, the late interaction of a ColBERT and its vectors."""
    loaded = in_process.load_model(folder, precision=precision)
    cosines = None
    if loaded.encoder is not None:
        cosines = [in_process.cosines(loaded.encoder, each.query, each.texts) for each in dev]
        if recipe.kind == "encoder":
            return dev_ndcg(dev, cosines)

    # One text at a time: padded to the longest of 50, they take twice as long.
    def scores(each: RankedList) -> list[float]:
        return [loaded.reranker.relevance_scores(each.query, [text])[0] for text in each.texts]

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # one call uses one core
        return dev_ndcg(dev, list(pool.map(scores, dev)), cosines)
