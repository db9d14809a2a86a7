"""The score of a language model that answers in a word: the logit of one token, or its difference to another's."""

from collections.abc import Sequence
from typing import Any

import torch

from hybridrank.training.onnx.families.last_token import at_last_token
from hybridrank.training.onnx.sources.source_files import ExportFailed

__all__ = ["FirstStepAnswer", "LastTokenAnswer"]

SAME = 1e-4  # between logits and those of the whole model


class AnswerLogits(torch.nn.Module):  # type: ignore[misc]
    """The rows of a head over the whole vocabulary that belong to the answers.

    They are multiplied without a MatMul, so that int8 leaves them alone: all of a score goes through them.
    """

    def __init__(self, head: Any, answers: Sequence[int]) -> None:
        super().__init__()
        chosen = torch.tensor(answers)
        self.register_buffer("weight", head.weight.detach()[chosen].clone())
        self.register_buffer("bias", None if head.bias is None else head.bias.detach()[chosen].clone())

    def forward(self, hidden: Any) -> Any:
        """Returns (…, answers)."""
        logits = (hidden.unsqueeze(-2) * self.weight).sum(dim=-1)
        return logits if self.bias is None else logits + self.bias


class LastTokenAnswer(torch.nn.Module):  # type: ignore[misc]
    """A decoder whose answer would follow the last token that is read.

    Raises ExportFailed for a model that computes more than its head's product, as one with capped logits does.
    """

    def __init__(self, model: Any, answers: Sequence[int]) -> None:
        super().__init__()
        self.decoder = model.base_model
        self.head = AnswerLogits(model.get_output_embeddings(), answers)
        ids = torch.arange(1, 7).reshape(1, 6)
        with torch.inference_mode():
            wanted = model(input_ids=ids).logits[..., torch.tensor(answers)]
            found = self.head(self.decoder(input_ids=ids).last_hidden_state)
        if not torch.allclose(found, wanted, rtol=SAME, atol=SAME):
            raise ExportFailed(
                f"{model.config.name_or_path}, a {model.config.model_type}, changes the logits of its head before they "
                "are used, which is not exported"
            )

    def forward(self, input_ids: Any, attention_mask: Any) -> dict[str, Any]:
        """Returns (batch, 1) under the name of the graph's output."""
        hidden = self.decoder(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
        return {"logits": _score(self.head(at_last_token(hidden, attention_mask)))}


class FirstStepAnswer(torch.nn.Module):  # type: ignore[misc]
    """An encoder-decoder, such as T5, whose first decoded token would be the answer."""

    def __init__(self, model: Any, answers: Sequence[int]) -> None:
        super().__init__()
        self.start = model.config.decoder_start_token_id
        if self.start is None:
            raise ExportFailed(f"config.json of {model.config.name_or_path} has no decoder_start_token_id")
        model.set_output_embeddings(AnswerLogits(model.get_output_embeddings(), answers))
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any) -> dict[str, Any]:
        """Returns (batch, 1) under the name of the graph's output."""
        start = torch.full_like(input_ids[:, :1], self.start)
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "decoder_input_ids": start}
        return {"logits": _score(self.model(**inputs, use_cache=False).logits[:, 0])}


def _score(logits: Any) -> Any:
    """Returns (batch, 1): the only logit, or the first minus the second."""
    return logits if logits.shape[-1] == 1 else logits[:, :1] - logits[:, 1:]
