"""Token vectors as byte records, one record per token: plain numbers, or residuals to centroids."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from hybridrank.common.errors import HybridrankError
from hybridrank.model_files.arrays import FloatArray

__all__ = ["CODEC", "BadTokenCodec", "Format", "PlainCodec", "ResidualCodec", "TokenCodec", "codecs_of"]

Records = npt.NDArray[np.uint8]
Format = Literal["fp32", "fp16", "int8", "residual"]

CODEC = "codec.npz"  # file in a model folder: the residual codec of its token vectors
_PLAIN: tuple[Literal["fp32", "fp16", "int8"], ...] = ("fp32", "fp16", "int8")
_PLAIN_TYPES: Mapping[str, np.dtype[Any]] = dict(zip(_PLAIN, map(np.dtype, ("<f4", "<f2", "i1")), strict=True))
_BLOCK = 4096  # tokens that are compared with all centroids at once


class BadTokenCodec(HybridrankError, ValueError):
    """The file is not a codec, or was changed."""


class TokenCodec(Protocol):
    """Unit rows ⇄ records. `digest` separates records that must not be compared: other weights, or other centroids."""

    @property
    def format(self) -> Format:
        """The name that callers use to request it."""

    @property
    def dimensions(self) -> int:
        """Dimensions of a row."""

    @property
    def digest(self) -> str:
        """Digest as 64 hexadecimal digits."""

    @property
    def record_bytes(self) -> int:
        """Bytes per token."""

    @property
    def pruned(self) -> frozenset[int]:
        """Ids of the tokens whose rows are removed from documents before packing."""

    def pack(self, rows: FloatArray) -> Records:
        """Packs (n, dimensions) unit rows into (n, record_bytes)."""

    def unpack(self, records: Records) -> FloatArray:
        """Unpacks (n, record_bytes), C-contiguous, into (n, dimensions) unit rows, approximately the packed rows."""


@dataclass(frozen=True)
class PlainCodec:
    """The plain numbers. `digest` is the digest of the model that made them.

    In int8 the largest number of a row becomes 127. The scale need not be stored, because rows have unit length.
    """

    format: Literal["fp32", "fp16", "int8"]
    dimensions: int
    digest: str

    @property
    def record_bytes(self) -> int:
        """Bytes per token."""
        return self.dimensions * _PLAIN_TYPES[self.format].itemsize

    @property
    def pruned(self) -> frozenset[int]:
        """Empty."""
        return frozenset()

    def pack(self, rows: FloatArray) -> Records:
        """See TokenCodec."""
        if self.format == "int8":
            largest = np.abs(rows).max(axis=1, keepdims=True, initial=0)
            rows = np.rint(rows * (127 / np.where(largest > 0, largest, 1)))
        return rows.astype(_PLAIN_TYPES[self.format]).view(np.uint8).reshape(len(rows), self.record_bytes)

    def unpack(self, records: Records) -> FloatArray:
        """See TokenCodec."""
        rows = records.view(_PLAIN_TYPES[self.format]).astype(np.float32, copy=False)
        return _to_unit_length(rows) if self.format == "int8" else rows


@dataclass(frozen=True, eq=False)
class ResidualCodec:
    """The nearest centroid, and the residual to it in 1, 2 or 4 bits per dimension.

    As in ColBERTv2 (Santhanam et al., NAACL 2022). `centroids` (k, d) are unit rows, k up to 65536. A residual falls
    into one of 2^bits buckets between `cutoffs` (2^bits - 1) and is decoded as the bucket's entry in `weights`
    (2^bits). `model_digest` is the digest of the model whose vectors it was trained on. Documents are stored without
    the tokens in `pruned`.
    """

    centroids: FloatArray
    cutoffs: FloatArray
    weights: FloatArray
    model_digest: str
    pruned: frozenset[int] = frozenset()
    format: Literal["residual"] = "residual"

    def __post_init__(self) -> None:
        if len(self.weights) not in {2, 4, 16} or len(self.cutoffs) != len(self.weights) - 1:
            raise BadTokenCodec(f"{len(self.weights)} weights and {len(self.cutoffs)} cutoffs are of no codec of ours")
        if self.centroids.ndim != 2 or not 1 <= len(self.centroids) <= 1 << 16:
            raise BadTokenCodec(f"centroids of shape {self.centroids.shape}; there must be 1 to 65536 rows of them")

    @property
    def bits(self) -> int:
        """Bits per dimension."""
        return len(self.weights).bit_length() - 1

    @property
    def dimensions(self) -> int:
        """Dimensions of a row."""
        return int(self.centroids.shape[1])

    @property
    def record_bytes(self) -> int:
        """Two bytes for the centroid's number, then the buckets, with the first dimension in the lowest bits."""
        return 2 + -(-self.dimensions * self.bits // 8)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the model's digest and all numbers."""
        whole = hashlib.sha256(self.model_digest.encode())
        for numbers in (self.centroids, self.cutoffs, self.weights):
            whole.update(repr(numbers.shape).encode())
            whole.update(np.ascontiguousarray(numbers, dtype="<f4").tobytes())
        whole.update(repr(sorted(self.pruned)).encode())
        return whole.hexdigest()

    def pack(self, rows: FloatArray) -> Records:
        """See TokenCodec."""
        records = np.empty((len(rows), self.record_bytes), dtype=np.uint8)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            nearest = np.argmax(block @ self.centroids.T, axis=1)
            buckets = np.searchsorted(self.cutoffs, block - self.centroids[nearest]).astype(np.uint8)
            whole = np.zeros((len(block), (self.record_bytes - 2) * len(self._shifts)), dtype=np.uint8)
            whole[:, : self.dimensions] = buckets
            records[start : start + _BLOCK, :2] = nearest.astype("<u2")[:, np.newaxis].view(np.uint8)
            parts = whole.reshape(len(block), -1, len(self._shifts)) << self._shifts
            records[start : start + _BLOCK, 2:] = np.bitwise_or.reduce(parts, axis=2)
        return records

    def unpack(self, records: Records) -> FloatArray:
        """See TokenCodec; raises IndexError for a centroid that does not exist."""
        nearest = np.ascontiguousarray(records[:, :2]).view("<u2")[:, 0]
        rows = np.take(self._bucket_weights, records[:, 2:], axis=0).reshape(len(records), -1)[:, : self.dimensions]
        rows += np.take(self.centroids, nearest, axis=0)  # twice as fast as rows[...], with the same result
        return _to_unit_length(rows)

    def save(self, path: Path) -> None:
        """Writes an .npz file, with centroids of half precision if they are exact in it."""
        half = self.centroids.astype(np.float16)
        with path.open("wb") as file:
            np.savez(
                file,
                centroids=half if np.array_equal(half, self.centroids) else self.centroids,
                cutoffs=self.cutoffs,
                weights=self.weights,
                model_digest=np.array(self.model_digest),
                pruned=np.array(sorted(self.pruned), dtype=np.int32),
                digest=np.array(self.digest),
            )

    @classmethod
    def load(cls, path: Path) -> "ResidualCodec":
        """Reads a file written by `save`; raises BadTokenCodec or OSError."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                centroids, cutoffs, weights = (found[name] for name in ("centroids", "cutoffs", "weights"))
                pruned = frozenset(found["pruned"].tolist())
                codec = cls(centroids.astype(np.float32), cutoffs, weights, str(found["model_digest"]), pruned)
                digest = str(found["digest"])
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise BadTokenCodec(f"{path} is no codec of token vectors: {error}; train it again") from error
        if codec.digest != digest:
            raise BadTokenCodec(f"{path} has digest {codec.digest} but says {digest}; fetch it or train it again")
        return codec

    @property
    def _shifts(self) -> Records:
        return np.arange(0, 8, self.bits, dtype=np.uint8)

    @cached_property
    def _bucket_weights(self) -> FloatArray:
        """Returns (256, buckets per byte): the weights that each byte value encodes."""
        buckets = (np.arange(256, dtype=np.uint8)[:, np.newaxis] >> self._shifts) & (len(self.weights) - 1)
        return np.asarray(self.weights[buckets], dtype=np.float32)


def _to_unit_length(rows: FloatArray) -> FloatArray:
    """Normalises in place, because every search unpacks the rows of a whole window; zero rows stay unchanged."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    lengths[lengths == 0] = 1
    rows /= lengths[:, np.newaxis]
    return rows


def codecs_of(model_digest: str, dimensions: int, residual: ResidualCodec | None) -> Mapping[Format, TokenCodec]:
    """Returns the codecs that can store the vectors of a model."""
    codecs: list[TokenCodec] = [PlainCodec(each, dimensions, model_digest) for each in _PLAIN]
    if residual:
        codecs.append(residual)
    return {each.format: each for each in codecs}
