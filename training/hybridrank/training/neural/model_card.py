"""The README.md of a trained model: base weights, data, loss, and quality on dev."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hybridrank.model_files.model_folder import ModelFolder
from hybridrank.training.neural.dev import ALONE, BLENDED, GIVEN, VECTORS
from hybridrank.training.neural.lists import RankedList
from hybridrank.training.neural.package import Measured
from hybridrank.training.neural.recipe import Recipe

__all__ = ["model_card"]


def model_card(
    folder: ModelFolder, recipe: Recipe, train: Sequence[RankedList], measured: Measured, about: Mapping[str, Any]
) -> str:
    """Returns Markdown. `about` is shown as rows of the first table: steps, hours, the machine, the lists' digest."""
    info = folder.info
    size = folder.onnx.stat().st_size / 1e6
    rows = {
        "kind": info.kind,
        "licence": folder.toml.licence,
        "languages": ", ".join(info.languages) or "not said",
        "begun from": recipe.student.base,
        "size": f"{size:.1f} MB at {folder.toml.precision}",
        "reads": f"{info.max_tokens} tokens, as in training",
        "digest": info.digest,
        "seed": recipe.seed,
        **about,
    }
    served = measured.served
    documents = sum(len(each.doc_ids) for each in train)
    return "\n".join(
        [
            f"# {info.name}",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows.items()),
            "",
            f"**Trained on** {len(train):,} lists with {documents:,} documents, their licences are those of the",
            f"collections: {_sources(train)}.",
            "",
            f"**Loss**: {' + '.join(_term(term) for term in recipe.losses)}. Teacher: {_teacher(recipe)}.",
            "",
            "**Measured on dev**, nDCG@10 over the candidates that retrieval found: as they came, by the model's",
            f"scores alone, and both blended half and half, at {folder.toml.precision}.",
            "",
            "| collection | given | alone, fp32 | alone | blended |"
            + (" by one vector each |" if VECTORS in served else ""),
            "|---|--:|--:|--:|--:|" + ("--:|" if VECTORS in served else ""),
            *(
                f"| {name} | {served[GIVEN][name]:.4f} | {measured.fp32[ALONE][name]:.4f}"
                f" | {served[ALONE][name]:.4f} | {served[BLENDED][name]:.4f} |"
                + (f" {served[VECTORS][name]:.4f} |" if VECTORS in served else "")
                for name in served[GIVEN]
            ),
            "",
        ]
    )


def _sources(lists: Sequence[RankedList]) -> str:
    counts = Counter(each.collection or "given lists" for each in lists)
    return ", ".join(f"{name} ({count:,})" for name, count in counts.most_common())


def _term(term: Any) -> str:
    softened = f" at temperature {term.temperature:g}" if term.temperature != 1 else ""
    return f"{term.weight:g} × {term.name}{softened}" + (f" by {term.by}" if term.by else "")


def _teacher(recipe: Recipe) -> str:
    if recipe.teacher.ordering:
        return f"the order in {recipe.teacher.ordering.name}"
    return " + ".join(f"{weight:g} z({name})" for name, weight in recipe.teacher.weights.items()) or "none"
