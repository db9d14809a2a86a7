"""Prefixes and pooling of an encoder, the same in training and in serving."""

from dataclasses import dataclass
from typing import Any

from hybridrank.training.neural.errors import RecipeError
from hybridrank.training.neural.recipe import Pooling, Student
from hybridrank.training.onnx.sources import sentence_files
from hybridrank.training.onnx.sources.checkpoint import open_checkpoint
from hybridrank.training.onnx.sources.source_files import ExportFailed

__all__ = ["Reading", "reading_of"]

SAMPLE = "What A Search Engine Does"
TRAINED = ("Transformer", "Pooling", "Normalize", "Dropout")  # modules of sentence-transformers
POOLINGS: dict[str, Pooling] = {"mean": "mean", "cls": "cls"}  # by sentence-transformers' names


@dataclass(frozen=True, slots=True)
class Reading:
    """The pooling of token rows into a vector, and the prefixes of queries and documents."""

    pooling: Pooling = "mean"
    query_prefix: str = ""
    document_prefix: str = ""


def reading_of(student: Student, source: str) -> Reading:
    """Returns what the recipe says and, where it says nothing, the settings of its base, opened as `source`.

    `source` is a folder of transformers or sentence-transformers, or a name on the hub; a base without settings pools
    by the mean. Raises RecipeError for a setting that training cannot follow.
    """
    try:
        checkpoint = open_checkpoint(source)
        if left_out := [each.kind for each in checkpoint.modules if each.kind not in TRAINED]:
            raise RecipeError(
                f"student.base: {student.base} has a {left_out[0]} module (modules.json), which training leaves out"
            )
        if sentence_files.settings(checkpoint).get("do_lower_case") and not _lowers(checkpoint.tokenizer):
            raise RecipeError(
                f"student.base: {student.base} lowers texts (do_lower_case in sentence_bert_config.json), which its "
                "tokenizer does not and training would leave out"
            )
        prefixes = sentence_files.prefixes(checkpoint, student.query_prefix, student.document_prefix)
        if student.pooling:
            return Reading(student.pooling, **prefixes)
        named = "+".join(sentence_files.poolings(checkpoint, prefixed=any(prefixes.values())))
    except ExportFailed as error:
        raise RecipeError(f"student.base: {error}") from error
    if named not in POOLINGS:
        raise RecipeError(
            f"student.base: {student.base} pools by {named}, and training by {' or '.join(POOLINGS)}: say which in "
            "student.pooling"
        )
    return Reading(POOLINGS[named], **prefixes)


def _lowers(tokenizer: Any) -> bool:
    return bool(tokenizer.tokenize(SAMPLE) == tokenizer.tokenize(SAMPLE.lower()))
