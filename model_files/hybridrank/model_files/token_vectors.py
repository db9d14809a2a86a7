"""Token vectors of one document as bytes: for each window that the model read, a header, then a record for each token.

2 bytes   "TV"
1         format: 0 fp32, 1 fp16, 2 int8, 3 residual
1         flags: 1 if no later window follows, though the document goes on
2         dimensions, little-endian as all numbers
2         tokens
8         the first 8 bytes of the codec's digest
...       the records, each of the codec's record length
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hybridrank.common.errors import HybridrankError
from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.token_codec import Format, TokenCodec

__all__ = ["BadTokenVectors", "TokenVectors", "read", "unpack", "write"]

_HEADER = struct.Struct("<2sBBHH8s")
_MAGIC = b"TV"
_FORMATS: tuple[Format, ...] = ("fp32", "fp16", "int8", "residual")
_FLOATS = ("fp32", "fp16")
_TRUNCATED = 1
_MAX_WINDOWS = 100  # as of texts: a document is not a book


class BadTokenVectors(HybridrankError, ValueError):
    """The bytes are damaged, or another model or codec made them."""


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """Token vectors of one document, checked and still packed: `windows` are their numbers of tokens, one or more.

    `truncated`: the document goes on after the last one.
    """

    codec: TokenCodec
    windows: tuple[int, ...]
    truncated: bool
    records: bytes = field(repr=False)

    @property
    def tokens(self) -> int:
        """The tokens of all windows."""
        return sum(self.windows)

    def first(self, windows: int) -> "TokenVectors":
        """Returns the first `windows` of the document, one or more."""
        if windows >= len(self.windows):
            return self
        kept = self.windows[:windows]
        return TokenVectors(
            self.codec, kept, truncated=True, records=self.records[: sum(kept) * self.codec.record_bytes]
        )


def write(codec: TokenCodec, *windows: FloatArray, truncated: bool = False) -> bytes:
    """Writes the (tokens, dimensions) unit rows of each window as bytes; windows without a row are allowed."""
    last = len(windows) - 1
    return b"".join(
        _header(codec, len(rows), _TRUNCATED if truncated and number == last else 0) + codec.pack(rows).tobytes()
        for number, rows in enumerate(windows)
    )


def read(stored: bytes, codecs: Mapping[Format, TokenCodec]) -> TokenVectors:
    """Reads the bytes with the codec that made them.

    Raises BadTokenVectors if it is not among `codecs`, for damaged bytes, windows of several codecs, and over 100.
    """
    rest, windows, records = memoryview(stored), list[int](), list[memoryview]()
    codec, *_ = _read_header(rest, codecs)
    while rest or not windows:
        if len(windows) == _MAX_WINDOWS:
            raise BadTokenVectors(f"are of more than {_MAX_WINDOWS} windows")
        own, tokens, truncated = _read_header(rest, codecs)
        if own is not codec:
            raise BadTokenVectors("are damaged: windows of several formats")
        end = _HEADER.size + tokens * codec.record_bytes
        if len(rest) < end:
            raise BadTokenVectors(f"are damaged: {len(rest)} bytes for {tokens} tokens, not {end}")
        windows.append(tokens)
        records.append(rest[_HEADER.size : end])
        rest = rest[end:]
    return TokenVectors(codec, tuple(windows), truncated, b"".join(records))


def unpack(documents: Sequence[TokenVectors]) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Returns the stacked rows of documents of one codec, and the number of rows of each window of each document.

    Raises BadTokenVectors for a centroid that does not exist, and for a number that is not finite.
    """
    codec = documents[0].codec
    records = np.frombuffer(b"".join(each.records for each in documents), dtype=np.uint8)
    lengths = np.array([tokens for each in documents for tokens in each.windows], dtype=np.intp)
    try:
        rows = codec.unpack(records.reshape(-1, codec.record_bytes))
    except IndexError as error:
        raise BadTokenVectors(f"are damaged: {error}") from error
    if codec.format in _FLOATS and not np.isfinite(rows).all():
        raise BadTokenVectors("are damaged: a number in them is not finite")
    return rows, lengths


def _header(codec: TokenCodec, tokens: int, flags: int) -> bytes:
    number = _FORMATS.index(codec.format)
    return _HEADER.pack(_MAGIC, number, flags, codec.dimensions, tokens, _beginning(codec.digest))


def _read_header(stored: memoryview, codecs: Mapping[Format, TokenCodec]) -> tuple[TokenCodec, int, bool]:
    """Returns the codec of a window, its number of tokens, and whether the document goes on after it."""
    if len(stored) < _HEADER.size or stored[: len(_MAGIC)] != _MAGIC:
        raise BadTokenVectors("are not token vectors as Encode returns them, or are damaged")
    _, number, flags, dimensions, tokens, digest = _HEADER.unpack_from(stored)
    if number >= len(_FORMATS):
        raise BadTokenVectors(f"are of format {number}, which this version does not know")
    codec = codecs.get(_FORMATS[number])
    if codec is None or _beginning(codec.digest) != digest:
        wanted = f"{_FORMATS[number]} {_beginning(codec.digest).hex()}" if codec else f"no {_FORMATS[number]}"
        raise BadTokenVectors(
            f"are {_FORMATS[number]} {digest.hex()}, but this model reads {wanted}; encode the documents again, or "
            "send texts"
        )
    if dimensions != codec.dimensions:
        raise BadTokenVectors(f"are damaged: of {dimensions} dimensions, not {codec.dimensions}")
    return codec, tokens, bool(flags & _TRUNCATED)


def _beginning(digest: str) -> bytes:
    return bytes.fromhex(digest[:16])
