"""A tokenizer to which texts say nothing but text: none of them becomes a control token of a prompt."""

import json
import re
import secrets
from collections.abc import Set
from typing import Any

from tokenizers import Tokenizer

__all__ = ["plain_text_only"]

WORDS = re.compile(r"[\w\s▁]*")  # ▁ is a space in many vocabularies


def plain_text_only(tokenizer: Tokenizer) -> Tokenizer:
    """Returns a tokenizer with the same ids that reads control tokens in a text as the characters they are written in.

    A control token is a special one, or one added to the vocabulary whose name has a sign other than letters, digits
    and white space, such as `</think>`. It keeps its id under a name that nobody can write.
    """
    said = json.loads(tokenizer.to_str())
    control = {
        each["content"] for each in said["added_tokens"] if each["special"] or not WORDS.fullmatch(each["content"])
    }
    hidden = secrets.token_hex(16)
    for each in said["added_tokens"]:
        if each["content"] in control:
            each["content"] = hidden + each["content"]
    said["model"] = _renamed(said["model"], control, hidden)
    said["post_processor"] = None
    return Tokenizer.from_str(json.dumps(said))


def _renamed(model: dict[str, Any], control: Set[str], hidden: str) -> dict[str, Any]:
    """Returns a model with other names for control tokens, and without the merges that make them of characters."""

    def name(token: str) -> str:
        return hidden + token if token in control else token

    renamed = dict(model)
    if isinstance(model["vocab"], dict):
        renamed["vocab"] = {name(token): token_id for token, token_id in model["vocab"].items()}
    else:
        renamed["vocab"] = [[name(token), score] for token, score in model["vocab"]]
    if "merges" in model:
        renamed["merges"] = [each for each in model["merges"] if control.isdisjoint((*each, "".join(each)))]
    if model.get("unk_token") is not None:
        renamed["unk_token"] = name(model["unk_token"])
    return renamed
