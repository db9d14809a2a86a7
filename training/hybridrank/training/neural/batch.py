"""Batches of lists for every kind of student: target tensors, and model inputs of similar length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from hybridrank.training.neural.lists import RankedList
from hybridrank.training.neural.recipe import Comparison
from hybridrank.training.neural.teacher import TEACHER

__all__ = ["Compared", "Scorer", "Scores", "runs", "targets"]

TEXTS = 16  # in one run of the model: with more, texts are padded to a longer one


@dataclass(frozen=True, slots=True)
class Scores:
    """`own` (q, n) scores each query's documents; `whole` (q, q·n), if requested, all documents in the batch."""

    own: torch.Tensor
    whole: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A batch's scores by each comparison: "pairs", "tokens" or "vectors".

    `moved`, if requested, is the mean of 1 minus the cosine between a text's vector and the base's, over some texts.
    """

    scores: Mapping[Comparison, Scores]
    moved: torch.Tensor | None = None


class Scorer(Protocol):
    """A kind of student: turns lists into a batch, and a batch into scores."""

    def __call__(self, lists: Sequence[RankedList]) -> dict[str, Any]:
        """Returns a batch, including the `targets` of the lists."""
        ...

    def compare(self, model: Any, batch: Mapping[str, Any]) -> Compared:
        """Returns scores with a gradient; 0 in `own` for absent documents."""
        ...


def targets(lists: Sequence[RankedList]) -> dict[str, torch.Tensor]:
    """Returns `teacher`, `grades` (-1 if unjudged) and `mask`, each (q, n), at most n documents.

    `others` (q, q·n) is True for every document of the batch except documents of other lists that are relevant to the
    query.
    """
    longest = max(len(each.doc_ids) for each in lists)
    mask = torch.tensor([[place < len(each.doc_ids) for place in range(longest)] for each in lists])
    relevant = [{doc_id for doc_id, grade in zip(each.doc_ids, each.grades, strict=True) if grade} for each in lists]
    others = [
        [
            place < len(other.doc_ids) and (row == column or other.doc_ids[place] not in relevant[row])
            for column, other in enumerate(lists)
            for place in range(longest)
        ]
        for row in range(len(lists))
    ]
    return {
        "teacher": _padded([each.scores.get(TEACHER, (0.0,) * len(each.doc_ids)) for each in lists], longest, 0.0),
        "grades": _padded([[-1.0 if grade is None else grade for grade in each.grades] for each in lists], longest, -1),
        "mask": mask,
        "others": torch.tensor(others),
    }


def runs(tokenizer: Any, encoded: Mapping[str, Sequence[Any]]) -> tuple[list[dict[str, Any]], torch.Tensor]:
    """Returns the model's inputs, longest texts first, in runs of TEXTS; and each row's text number (texts,)."""
    lengths = [len(ids) for ids in encoded["input_ids"]]
    order = sorted(range(len(lengths)), key=lambda text: -lengths[text])
    padded = [
        tokenizer.pad(
            {name: [values[text] for text in order[start : start + TEXTS]] for name, values in encoded.items()},
            return_tensors="pt",
        )
        for start in range(0, len(order), TEXTS)
    ]
    return [dict(run) for run in padded], torch.tensor(order)


def _padded(rows: Sequence[Sequence[float]], length: int, value: float) -> torch.Tensor:
    return torch.tensor([[*map(float, row), *[float(value)] * (length - len(row))] for row in rows])
