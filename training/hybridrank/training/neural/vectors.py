"""Batches of encoders: queries and documents separately, compared by one vector each, by late interaction, or both."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from hybridrank.training.neural.batch import Compared, Scores, runs, targets
from hybridrank.training.neural.frozen_base import FrozenBase
from hybridrank.training.neural.lists import RankedList
from hybridrank.training.neural.reading import Reading
from hybridrank.training.neural.recipe import Comparison

__all__ = ["SCALE", "Vectors"]

SCALE = 20.0  # cosines lie in -1 to 1, too close together for a softmax (sentence-transformers' scale)
QUERY_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Vectors:
    """Scores are cosines times SCALE, with in-batch negatives (Henderson et al. 2017) in `whole`.

    "vectors" compares vectors, pooled as `reading` says, as the sidecar's dense encoder does; "tokens" the mean over
    query tokens of the highest cosine with any of the document's (Khattab and Zaharia 2020), as it reranks by the same
    encoder. With `base`, a network that is not trained, vectors of some texts are also compared with that network's.
    """

    tokenizer: Any
    max_tokens: int
    reading: Reading
    by: Collection[Comparison]
    base: FrozenBase | None = None

    def __call__(self, lists: Sequence[RankedList]) -> dict[str, Any]:
        """Returns a batch."""
        batch: dict[str, Any] = targets(lists)
        for name, texts, longest in (
            ("queries", [self.reading.query_prefix + each.query for each in lists], min(QUERY_TOKENS, self.max_tokens)),
            (
                "documents",
                [self.reading.document_prefix + text for each in lists for text in each.texts],
                self.max_tokens,
            ),
        ):
            encoded = self.tokenizer(texts, truncation=True, max_length=longest)
            batch[name], batch[f"{name}_order"] = runs(self.tokenizer, encoded)
        return batch

    def compare(self, model: Any, batch: Mapping[str, Any]) -> Compared:
        """Scores each query with its own documents, and with all documents of the batch.

        `moved` is for training alone, over one run of queries and one of documents, drawn anew each time: reading all
        texts again would take a third of a step.
        """
        mask = batch["mask"]
        encoded = [self._encode(model, batch, name) for name in ("queries", "documents")]
        with torch.autocast(mask.device.type, enabled=False):  # in bf16 close cosines would become equal
            queries, documents = (POOLED[self.reading.pooling](each.rows, each.there) for each in encoded)
            found = {
                each: _scores(_max_sim(*encoded) if each == "tokens" else queries @ documents.T, mask)
                for each in self.by
            }
        kept = [each.kept for each in encoded if each.kept is not None]
        return Compared(found, 1 - torch.cat(kept).mean() if kept else None)

    def _encode(self, model: Any, batch: Mapping[str, Any], name: str) -> "_Encoded":
        longest = max(run["input_ids"].shape[1] for run in batch[name])
        drawn = int(torch.randint(len(batch[name]), ())) if self.base and torch.is_grad_enabled() else None
        rows, there, kept = [], [], None
        for number, run in enumerate(batch[name]):
            found, read = model(**run).last_hidden_state.float(), run["attention_mask"].bool()
            if self.base and number == drawn:
                now, before = (POOLED[self.reading.pooling](each, read) for each in (found, self.base(run)))
                kept = (now * before).sum(1)
            room = longest - read.shape[1]
            rows.append(functional.pad(found, (0, 0, 0, room)))
            there.append(functional.pad(read, (0, room)))
        back = batch[f"{name}_order"].argsort()
        return _Encoded(torch.cat(rows)[back], torch.cat(there)[back], kept)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """Texts in their order: token rows (texts, t, d), their mask (texts, t); cosines of some with the base's (n,)."""

    rows: torch.Tensor
    there: torch.Tensor
    kept: torch.Tensor | None


def _scores(cosines: torch.Tensor, mask: torch.Tensor) -> Scores:
    """Returns scores from the cosines (queries, documents) of all documents that exist."""
    whole = cosines.new_zeros((len(mask), mask.numel()))
    whole[:, mask.flatten()] = SCALE * cosines
    rows = torch.arange(len(mask), device=mask.device)
    return Scores(whole.view(len(mask), *mask.shape)[rows, rows], whole)


def _mean(rows: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Returns (texts, d) unit vectors."""
    return functional.normalize(rows.masked_fill(~there[:, :, None], 0).sum(1), dim=1)


def _first(rows: torch.Tensor, _there: torch.Tensor) -> torch.Tensor:
    """Returns (texts, d) unit vectors."""
    return functional.normalize(rows[:, 0], dim=1)


POOLED = {"mean": _mean, "cls": _first}


def _max_sim(queries: _Encoded, documents: _Encoded) -> torch.Tensor:
    """Returns (queries, documents): the mean over query tokens of the highest cosine, without special tokens."""
    asked, there = _inner(queries.there), _inner(documents.there)
    cosines = torch.einsum(
        "qld,mtd->qmlt", functional.normalize(queries.rows, dim=2), functional.normalize(documents.rows, dim=2)
    )
    best = cosines.masked_fill(~there[None, :, None, :], -1).amax(3)
    return (best * asked[:, None, :]).sum(2) / asked.sum(1).clamp(min=1)[:, None]


def _inner(there: torch.Tensor) -> torch.Tensor:
    """Returns the mask without the first and the last token."""
    places = torch.arange(there.shape[1], device=there.device)
    return there & (places > 0) & (places < there.sum(1, keepdim=True) - 1)
