"""Cache of computed vectors in a file, by model digest and text."""

import hashlib
import logging
import sqlite3
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from zlib import crc32

from hybridrank.connector.types import Vector

__all__ = ["VectorCache"]

log = logging.getLogger(__name__)

_SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
_TROUBLE = (sqlite3.Error, OSError)


class VectorCache:
    """A SQLite file of float32 vectors; several processes may share it. 1,000 vectors of 384 take 1.6 MB.

    It never fails a run. If the disk is full it stores nothing more; if the file cannot be read it finds nothing. It
    warns once, and the caller computes the vectors. Each vector has a checksum, because SQLite reads the missing part
    of a file's last page as zeros.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._readable = self._writable = True
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as database:
                database.execute(_SCHEMA)
                database.commit()
        except _TROUBLE as error:
            self._do_without(error)

    def get(self, model_digest: str, texts: Sequence[str]) -> dict[str, Vector]:
        """Returns the cached vectors, by text."""
        if not self._readable:
            return {}
        statement = "SELECT vector FROM vectors WHERE key = ?"
        try:
            with self._open() as database:
                keys = ((text, _key(model_digest, text)) for text in texts)
                found = ((text, _unpack(key, database.execute(statement, (key,)).fetchone())) for text, key in keys)
                return {text: vector for text, vector in found if vector is not None}
        except _TROUBLE as error:
            self._do_without(error)
            return {}

    def put(self, model_digest: str, vectors: Mapping[str, Vector]) -> None:
        """Stores vectors, by text: all of them, or none if there is no space."""
        if not self._writable:
            return
        rows: Iterable[tuple[bytes, bytes]] = (
            (key, _pack(key, vector)) for text, vector in vectors.items() for key in [_key(model_digest, text)]
        )
        try:
            with self._open() as database:
                database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
                database.commit()
        except _TROUBLE as error:
            self._writable = False
            log.warning("%s takes no more vectors (%s); make room, or each is computed anew", self.file, error)

    def _open(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.file, timeout=60))

    def _do_without(self, error: Exception) -> None:
        self._readable = self._writable = False
        log.warning("%s cannot be used (%s), so every vector is computed; delete it if it is damaged", self.file, error)


def _key(model_digest: str, text: str) -> bytes:
    return hashlib.sha256(f"{model_digest}\n{text}".encode(errors="surrogatepass")).digest()


def _pack(key: bytes, vector: Vector) -> bytes:
    """Returns the numbers, and the CRC-32 of key and numbers."""
    numbers = array("f", vector).tobytes()
    return numbers + crc32(key + numbers).to_bytes(4, "little")


def _unpack(key: bytes, row: tuple[bytes] | None) -> Vector | None:
    """Returns None if there is no row, or not the written one."""
    if row is None:
        return None
    numbers, checksum = row[0][:-4], row[0][-4:]
    return tuple(array("f", numbers)) if checksum == crc32(key + numbers).to_bytes(4, "little") else None
