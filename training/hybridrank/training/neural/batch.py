"""What every kind of student makes of lists: tensors to compare with, and runs of nearly one length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from hybridrank.training.neural.lists import RankedList
from hybridrank.training.neural.teacher import TEACHER

__all__ = ["Scorer", "Scores", "runs", "targets"]

TEXTS = 16  # in one run of the model: more texts are padded to a longer one


@dataclass(frozen=True, slots=True)
class Scores:
    """`own` (q, n) are of each query's documents; `whole` (q, q·n), where it was asked for, of all in the batch."""

    own: torch.Tensor
    whole: torch.Tensor | None = None


class Scorer(Protocol):
    """A kind of student: how lists become a batch, and a batch becomes scores."""

    def __call__(self, lists: Sequence[RankedList]) -> dict[str, Any]:
        """A batch, with what `targets` makes of the lists."""
        ...

    def scores(self, model: Any, batch: Mapping[str, Any]) -> Scores:
        """With a gradient; 0 in `own` where there is no document."""
        ...


def targets(lists: Sequence[RankedList]) -> dict[str, torch.Tensor]:
    """`teacher`, `grades` (-1 where nobody judged) and `mask`, each (q, n), n documents at most.

    `others` (q, q·n) is True for every document of the batch but those of other lists that are relevant to the query.
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
    """The model's inputs, longest texts first, a run of TEXTS after the other; and which text stands where (texts,)."""
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
