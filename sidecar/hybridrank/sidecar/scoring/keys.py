"""Keys of inputs: over the model and all parts of a request that decide a row; equal inputs have equal keys."""

from collections.abc import Sequence
from hashlib import blake2b

from hybridrank.common.model_info import ModelInfo

KEY_BYTES = 16  # two of a billion keys collide with a probability of one in 10^20


def text_keys(model: ModelInfo, *options: str, texts: Sequence[str]) -> list[bytes]:
    """Returns a key for each text, as read by `model` with these `options`: a query, a kind of text.

    Every part is preceded by its length, so that no two lists of parts give the same bytes.
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
    """Returns the key of a window of a text, by its 0-based number; the first has the key of the text."""
    return text_key + number.to_bytes(2, "little") if number else text_key


def _with_length(part: str) -> bytes:
    # No protocol delivers a text with a lone surrogate, but a caller in this process also gets a key for it.
    encoded = part.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(8, "little") + encoded
