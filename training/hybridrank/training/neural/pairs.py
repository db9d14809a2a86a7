"""Batches of a cross-encoder: query and document in one text, one logit per pair (Nogueira and Cho 2019)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hybridrank.training.neural.batch import Compared, Scores, runs, targets
from hybridrank.training.neural.lists import RankedList

__all__ = ["Pairs"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Reads `max_tokens` of a pair; cuts the document first, and the query only beyond half, as in the sidecar."""

    tokenizer: Any
    max_tokens: int

    def __call__(self, lists: Sequence[RankedList]) -> dict[str, Any]:
        """Returns a batch."""
        queries = [query for each in lists for query in [self._beginning(each.query)] * len(each.doc_ids)]
        texts = [text for each in lists for text in each.texts]
        encoded = self.tokenizer(queries, texts, truncation="only_second", max_length=self.max_tokens)
        inputs, order = runs(self.tokenizer, encoded)
        return {"pairs": inputs, "order": order, **targets(lists)}

    def _beginning(self, query: str) -> str:
        encoded = self.tokenizer(
            query,
            add_special_tokens=False,
            truncation=True,
            max_length=self.max_tokens // 2,
            return_offsets_mapping=True,
        )
        return query[: encoded["offset_mapping"][-1][1]] if encoded["offset_mapping"] else query

    def compare(self, model: Any, batch: Mapping[str, Any]) -> Compared:
        """Returns the model's logits."""
        logits = torch.cat([model(**run).logits[:, 0].float() for run in batch["pairs"]])
        mask = batch["mask"]
        places = mask.flatten().nonzero()[:, 0][batch["order"]]
        own = logits.new_zeros(mask.numel()).index_put((places,), logits).view(mask.shape)
        return Compared({"pairs": Scores(own)})
