"""The logits of a decoder's classifier: those of the last token that is read."""

from typing import Any

import torch

__all__ = ["LastTokenLogits", "at_last_token", "reads_last_token"]


class LastTokenLogits(torch.nn.Module):  # type: ignore[misc]
    """A classifier of transformers that finds its last token by the padding id, here also by the attention mask.

    So rows may be padded with any id. A last token that is the padding id itself is passed over, as there.
    """

    def __init__(self, classifier: Any) -> None:
        super().__init__()
        self.decoder, self.score = classifier.base_model, classifier.score
        padding = classifier.config.get_text_config().pad_token_id
        self.padding_id = -1 if padding is None else padding

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> dict[str, Any]:
        """Returns (batch, labels) under the name of the graph's output."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.decoder(**inputs, **segments, use_cache=False).last_hidden_state
        return {"logits": self.score(at_last_token(hidden, attention_mask * (input_ids != self.padding_id)))}


def at_last_token(hidden: Any, read: Any) -> Any:
    """Returns (batch, dimensions): the rows of the last tokens for which `read` (batch, tokens) is 1."""
    last = (read * torch.arange(read.shape[1])).max(dim=1).values
    return hidden[torch.arange(read.shape[0]), last]


def reads_last_token(classifier: Any) -> bool:
    """True if a classifier of transformers is one of a decoder: they alone call their head `score`."""
    return hasattr(classifier, "score")
