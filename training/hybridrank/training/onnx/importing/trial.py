"""Runs a graph on a few texts before it is served: a text must score the same alone, padded, and at full length."""

from pathlib import Path

import numpy as np

from hybridrank.sidecar.in_process import OnnxSession, TextTokenizer
from hybridrank.training.onnx.importing.errors import ImportRefused

__all__ = ["check_case", "columns"]

TOLERANCE = 1e-3  # between a text alone and among longer ones, relative to the largest output
TEXTS = ("short", "A longer sentence, with numbers 1 2 3 and an émoji 😀.", "one two three four five " * 12)
SHORT_TOKENS = 32  # so that a failure is one of the shapes, not of the number of positions
CASED = "Berlin GMBH Straße ÉCOLE"


def columns(folder: Path, output: str, max_tokens: int) -> int:
    """Returns the size of the last dimension; raises ImportRefused if padding changes the output or a length fails."""
    tokenizer = TextTokenizer(folder / "tokenizer.json", max_tokens)
    session = OnnxSession(folder / "model.onnx", output, tokenizer.padding_id)
    sequences = TextTokenizer(folder / "tokenizer.json", min(max_tokens, SHORT_TOKENS)).singles(TEXTS)
    try:
        together = session.run(sequences)
        alone = [session.run([each])[0] for each in sequences]
    except Exception as error:  # ONNX Runtime's exceptions have no other common base class
        raise ImportRefused(f"it does not run on texts of several lengths: {error}") from error
    scale = max(float(np.abs(each).max()) for each in alone)
    rows = [found[: len(each)] if found.ndim > 1 else found for found, each in zip(together, sequences, strict=True)]
    moved = max(float(np.abs(a - b).max()) for a, b in zip(alone, rows, strict=True))
    if not moved <= TOLERANCE * scale:
        raise ImportRefused(f"its output changes by {moved:.2g} when a longer text is beside it: padding is not masked")
    (longest,) = tokenizer.singles(["one two three " * max_tokens])
    try:
        session.run([longest])
    except Exception as error:  # see above
        raise ImportRefused(f"it cannot read {len(longest)} tokens; say a smaller --max-tokens: {error}") from error
    return int(together.shape[-1])


def check_case(tokenizer: Path, *, lowers: bool) -> None:
    """Raises ImportRefused unless the tokenizer reads upper case as lower case, or, with `lowers` False, as another."""
    read = TextTokenizer(tokenizer, 512)
    same = read.singles([CASED])[0].token_ids == read.singles([CASED.lower()])[0].token_ids
    if same != lowers:
        does = "lowers" if same else "keeps case"
        raise ImportRefused(f"do_lower_case is {str(lowers).lower()} beside a tokenizer.json that {does}; mend one")
