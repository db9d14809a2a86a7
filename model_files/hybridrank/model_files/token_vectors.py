"""Token vectors of one document as bytes: a header that describes the format, then a record for each token.

2 bytes   "TV"
1         format: 0 fp32, 1 fp16, 2 int8, 3 residual
1         flags: 1 if the model read only the beginning of the document
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
_TRUNCATED = 1


class BadTokenVectors(HybridrankError, ValueError):
    """The bytes are damaged, or another model or codec made them."""


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """Token vectors of one document, checked and still packed. `truncated`: from the beginning of the document only."""

    codec: TokenCodec
    tokens: int
    truncated: bool
    records: memoryview = field(repr=False)


def write(codec: TokenCodec, rows: FloatArray, *, truncated: bool = False) -> bytes:
    """Writes (tokens, dimensions) unit rows as bytes; zero rows are allowed."""
    flags = _TRUNCATED if truncated else 0
    header = (_FORMATS.index(codec.format), flags, codec.dimensions, len(rows), _beginning(codec.digest))
    return _HEADER.pack(_MAGIC, *header) + codec.pack(rows).tobytes()


def read(stored: bytes, codecs: Mapping[Format, TokenCodec]) -> TokenVectors:
    """Reads the bytes with the codec that made them; raises BadTokenVectors if it is not among `codecs`."""
    if len(stored) < _HEADER.size or not stored.startswith(_MAGIC):
        raise BadTokenVectors("are not token vectors as Encode returns them")
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
    wanted_bytes = _HEADER.size + tokens * codec.record_bytes
    if dimensions != codec.dimensions or len(stored) != wanted_bytes:
        raise BadTokenVectors(
            f"are damaged: {len(stored)} bytes for {tokens} tokens of {dimensions} dimensions, not {wanted_bytes} for "
            f"{codec.dimensions}"
        )
    return TokenVectors(codec, tokens, bool(flags & _TRUNCATED), memoryview(stored)[_HEADER.size :])


def unpack(documents: Sequence[TokenVectors]) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Returns the stacked rows of documents of one codec, and the number of rows of each document.

    Raises BadTokenVectors for a centroid that does not exist.
    """
    codec = documents[0].codec
    records = np.frombuffer(b"".join(each.records for each in documents), dtype=np.uint8)
    lengths = np.array([each.tokens for each in documents], dtype=np.intp)
    try:
        return codec.unpack(records.reshape(-1, codec.record_bytes)), lengths
    except IndexError as error:
        raise BadTokenVectors(f"are damaged: {error}") from error


def _beginning(digest: str) -> bytes:
    return bytes.fromhex(digest[:16])
