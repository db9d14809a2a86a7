"""Runs a graph on a few texts before it is served: a text must score the same alone, padded, and at full length."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hybridrank.sidecar.in_process import OnnxSession, TextTokenizer, TokenSequence
from hybridrank.training.onnx.importing.errors import ImportRefused

__all__ = ["check_case", "check_end", "check_prefixes", "columns"]

TOLERANCE = 1e-3  # between a text alone and among longer ones, relative to the largest output
TEXTS = ("short", "A longer sentence, with numbers 1 2 3 and an émoji 😀.", "one two three four five " * 12)
SHORT_TOKENS = 32  # so that a failure is one of the shapes, not of the number of positions
CASED = "Berlin GMBH Straße ÉCOLE"


def columns(folder: Path, output: str, max_tokens: int, *, pairs: bool) -> int:
    """Returns the size of the last dimension of the output for texts, or for pairs of texts.

    Raises ImportRefused if a text, a token or a length fails, if padding changes the output, or it is not finite.
    """
    session = OnnxSession(folder / "model.onnx", output, TextTokenizer(folder / "tokenizer.json", 512).padding_id)
    sequences = _sequences(folder, min(max_tokens, SHORT_TOKENS), TEXTS, pairs=pairs)
    try:
        together = session.run(sequences)
        alone = [session.run([each])[0] for each in sequences]
    except Exception as error:  # ONNX Runtime's exceptions have no other common base class
        raise ImportRefused(f"it does not run on texts of several lengths: {error}") from error
    if not all(np.isfinite(each).all() for each in (*alone, together)):
        raise ImportRefused("its output holds numbers that are not finite; its weights may be damaged")
    scale = max(float(np.abs(each).max()) for each in alone)
    rows = [found[: len(each)] if found.ndim > 1 else found for found, each in zip(together, sequences, strict=True)]
    moved = max(float(np.abs(a - b).max()) for a, b in zip(alone, rows, strict=True))
    if not moved <= TOLERANCE * scale:
        raise ImportRefused(f"its output changes by {moved:.2g} when a longer text is beside it: padding is not masked")
    largest = TextTokenizer(folder / "tokenizer.json", max_tokens).largest_id
    last = replace(sequences[0], token_ids=(*sequences[0].token_ids[:-1], largest))
    try:
        session.run([last])
    except Exception as error:  # see above
        raise ImportRefused(f"tokenizer.json has more tokens ({largest + 1:,}) than the graph: {error}") from error
    (longest,) = _sequences(folder, max_tokens, ["one two three " * max_tokens], pairs=pairs)
    try:
        session.run([longest])
    except Exception as error:  # see above
        raise ImportRefused(f"it cannot read {len(longest)} tokens; say a smaller --max-tokens: {error}") from error
    return int(together.shape[-1])


def _sequences(folder: Path, max_tokens: int, texts: Sequence[str], *, pairs: bool) -> Sequence[TokenSequence]:
    tokenizer = TextTokenizer(folder / "tokenizer.json", max_tokens)
    return tokenizer.pairs(TEXTS[0], texts) if pairs else tokenizer.singles(texts)


def check_prefixes(tokenizer: Path, max_tokens: int, fields: Mapping[str, str]) -> None:
    """Raises ImportRefused for a prefix that leaves less than half of the tokens to the text."""
    for name in ("query_prefix", "document_prefix"):
        (read,) = TextTokenizer(tokenizer, max_tokens).singles([fields[name]])
        if len(read) > max_tokens // 2:
            raise ImportRefused(f"its {name} takes {len(read)} or more of {max_tokens} tokens; half are for the text")


def check_end(tokenizer: Path) -> None:
    """Raises ImportRefused unless the tokenizer adds a last token."""
    if not TextTokenizer(tokenizer, SHORT_TOKENS).singles(["rank"])[0].special[-1]:
        raise ImportRefused(
            "it reads a text's last token, which tokenizer_config.json adds (add_eos_token) and tokenizer.json does not"
            "; write it into the post_processor of tokenizer.json"
        )


def check_case(tokenizer: Path, *, lowers: bool) -> None:
    """Raises ImportRefused unless the tokenizer reads upper case as lower case, or, with `lowers` False, as another."""
    read = TextTokenizer(tokenizer, 512)
    same = read.singles([CASED])[0].token_ids == read.singles([CASED.lower()])[0].token_ids
    if same != lowers:
        does = "lowers" if same else "keeps case"
        raise ImportRefused(f"do_lower_case is {str(lowers).lower()} beside a tokenizer.json that {does}; mend one")
