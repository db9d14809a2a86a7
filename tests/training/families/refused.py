"""Checkpoints that are refused by name, each for its reason."""

from functools import partial
from pathlib import Path
from typing import Any

from tests.training.families.row import Refused, Row

__all__ = ["ROWS"]


def _saved(folder: Path, head: str, **files: Any) -> None:
    from tests.training import tiny_checkpoints as tiny

    tiny.add(tiny.save(folder, "bert", head), **files)


def _remote_code(folder: Path) -> None:
    _saved(folder, "", config={"auto_map": {"AutoModel": "modeling_xlm_roberta.XLMRobertaModel"}})


ROWS: tuple[Row, ...] = (
    Refused(
        "masked language models",
        "google-bert/bert-base-uncased",
        partial(_saved, head="ForMaskedLM"),
        "has a head that predicts words",
    ),
    Refused(
        "question answering",
        "deepset/roberta-base-squad2",
        partial(_saved, head="ForQuestionAnswering"),
        "finds answers inside a text, and does not score it",
    ),
    Refused(
        "token classification",
        "dslim/bert-base-NER",
        partial(_saved, head="ForTokenClassification"),
        "labels tokens, and does not score a text",
    ),
    Refused(
        "models with code of their own",
        "jinaai/jina-reranker-v2-base-multilingual, jinaai/jina-colbert-v2",
        _remote_code,
        "it needs remote code, which an export never runs",
    ),
)
