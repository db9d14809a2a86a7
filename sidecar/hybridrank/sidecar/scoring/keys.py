"""What makes two inputs equal: a key over the model and everything of a request that decides a row."""

from collections.abc import Sequence
from hashlib import blake2b

from hybridrank.sidecar.types import ModelInfo

KEY_BYTES = 16  # a billion keys share one with a chance of one in 10^20


def text_keys(model: ModelInfo, *options: str, texts: Sequence[str]) -> list[bytes]:
    """A key for each text, as `model` reads it with these `options`: a query, a kind of text.

    Every part is preceded by its length, so that no two lists of parts run into the same bytes.
    """
    head = blake2b(digest_size=KEY_BYTES)
    for part in (model.name, model.version, model.digest, model.precision, str(model.max_tokens), *options):
        head.update(_with_length(part))
    keys = []
    for text in texts:
        whole = head.copy()
        whole.update(_with_length(text))
        keys.append(whole.digest())
    return keys


def window_key(text_key: bytes, number: int) -> bytes:
    """The key of a window of a text, by its number from 0; the first has that of the text."""
    return text_key + number.to_bytes(2, "little") if number else text_key


def _with_length(part: str) -> bytes:
    # A text with a lone surrogate comes through no wire; whoever calls in process gets a key for it too.
    encoded = part.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(8, "little") + encoded
