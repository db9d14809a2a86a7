"""Language models that answer if a document is relevant: decoders, T5 and its relatives, prompted classifiers."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import transformers

from hybridrank.model_files.model_folder import PromptRerankerToml
from hybridrank.training.onnx.families import cross_encoder
from hybridrank.training.onnx.families.answers import FirstStepAnswer, LastTokenAnswer
from hybridrank.training.onnx.families.plan import Asked, Plan
from hybridrank.training.onnx.families.templates import TEMPLATES, Template
from hybridrank.training.onnx.sources import sentence_files
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.lengths import stated_lengths
from hybridrank.training.onnx.sources.source_files import ExportFailed

__all__ = ["plan"]

CONTROL = re.compile(r"<[|/]?\w+[|]?>")


def plan(checkpoint: Checkpoint, asked: Asked) -> Plan | None:
    """Takes what the caller named a template for, as nothing in the files of such a checkpoint says that it reranks."""
    if asked.template is None:
        return None
    template = _template(asked)
    lengths = {**stated_lengths(checkpoint), "its publisher's code": template.max_tokens}
    described = {**asked.fields(checkpoint, lengths), "template": _pieces(asked, template)}
    _require_tokens(checkpoint, asked, described["template"])
    if cross_encoder.is_classifier(checkpoint):
        if asked.answers:
            raise ExportFailed(f"{checkpoint.source} is a classifier, whose score needs no answers")
        return cross_encoder.classifier(checkpoint, asked, PromptRerankerToml.model_validate(described))
    sentence_files.require_modules(checkpoint, "Transformer", "LogitScore")
    _require_task(checkpoint, asked, template)
    if checkpoint.one_stack and checkpoint.ends_in("ForCausalLM", "LMHeadModel"):
        auto, wrapper = transformers.AutoModelForCausalLM, LastTokenAnswer
    elif not checkpoint.one_stack and checkpoint.ends_in("ForConditionalGeneration"):
        auto, wrapper = transformers.AutoModelForSeq2SeqLM, FirstStepAnswer
    else:
        return None
    if asked.relevant_label is not None:
        raise ExportFailed(f"{checkpoint.source} has answers, not labels: say with --answers which, relevant first")
    answers = _answers(checkpoint, asked, template)
    tokens = checkpoint.tokenizer.convert_ids_to_tokens(answers)
    toml = PromptRerankerToml.model_validate({**described, "answers": tokens})
    return Plan(toml, "logits", auto, partial(wrapper, answers=answers))


def _template(asked: Asked) -> Template:
    template = TEMPLATES.get(asked.template or "")
    if template is None:
        raise ExportFailed(f"there is no template {asked.template!r}; known are {', '.join(TEMPLATES)}")
    return template


def _pieces(asked: Asked, template: Template) -> tuple[str, ...]:
    if asked.instruction is None:
        return template.with_instruction(None)
    if not template.instructs:
        raise ExportFailed(f"the template {asked.template} has no place for an instruction")
    if not asked.instruction.strip() or "{query}" in asked.instruction or "{document}" in asked.instruction:
        raise ExportFailed("an instruction is a sentence; the template puts query and document behind it")
    return template.with_instruction(asked.instruction)


def _require_task(checkpoint: Checkpoint, asked: Asked, template: Template) -> None:
    """Raises ExportFailed if the files name another task than the prompt will."""
    said = sentence_files.default_prompt(checkpoint)
    if said and said != (asked.instruction or template.instruction):
        raise ExportFailed(f"{checkpoint.source} was trained on the task {said!r}: say it with --instruction")


def _require_tokens(checkpoint: Checkpoint, asked: Asked, pieces: Sequence[str]) -> None:
    """Raises ExportFailed if the vocabulary lacks a control token of the template: another family's was named."""
    vocabulary = checkpoint.tokenizer.get_vocab()
    for token in CONTROL.findall("".join(piece for piece in pieces if "{" not in piece)):
        if token not in vocabulary:
            raise ExportFailed(f"{checkpoint.source} has no token {token}, which the template {asked.template} needs")


def _answers(checkpoint: Checkpoint, asked: Asked, template: Template) -> list[int]:
    """Returns the ids of the answers' tokens."""
    if asked.answers and len(asked.answers) != len(template.answers):
        raise ExportFailed(f"the template {asked.template} needs {len(template.answers)} answers")
    if not asked.answers and asked.template == "monot5" and checkpoint.config.model_type == "mt5":
        raise ExportFailed(
            f"{checkpoint.source} is an mT5, and monoT5s on it differ in their answers: say --answers yes,no or "
            "--answers true,false"
        )
    found = [_token(checkpoint, answer) for answer in asked.answers or template.answers]
    if len(set(found)) < len(found):
        raise ExportFailed(f"the answers of {checkpoint.source} are the same token, so that all scores were equal")
    said = sentence_files.answer_ids(checkpoint)
    if said and said != found:
        tokens = ",".join(checkpoint.tokenizer.convert_ids_to_tokens(said))
        raise ExportFailed(
            f"{checkpoint.source} compares other answers (its LogitScore module): say --answers {tokens}"
        )
    return found


def _token(checkpoint: Checkpoint, answer: str) -> int:
    """Returns the id of the only token of an answer, written as a word or as in the vocabulary."""
    ids: Sequence[int] = checkpoint.tokenizer(answer, add_special_tokens=False)["input_ids"]
    if len(ids) == 1 and ids[0] != checkpoint.tokenizer.unk_token_id:
        return ids[0]
    found: Any = checkpoint.tokenizer.get_vocab().get(answer)
    if found is None:
        raise ExportFailed(
            f"the answer {answer} is not one token of {checkpoint.source}; say with --answers what it was trained to "
            "answer, the word for relevant first"
        )
    return int(found)
