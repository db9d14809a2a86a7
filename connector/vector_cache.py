"""Vectors that were computed once, kept in a file by model digest and text."""

import hashlib
import sqlite3
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from connector.types import Vector

__all__ = ["VectorCache"]

_SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"


class VectorCache:
    """A SQLite file of float32 vectors; several processes may share it. 1,000 vectors of 384 take 1.6 MB."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute(_SCHEMA)
            database.commit()

    def get(self, model_digest: str, texts: Sequence[str]) -> dict[str, Vector]:
        """The vectors that are known, by text."""
        statement = "SELECT vector FROM vectors WHERE key = ?"
        with self._open() as database:
            rows = ((text, database.execute(statement, (_key(model_digest, text),)).fetchone()) for text in texts)
            return {text: tuple(array("f", row[0])) for text, row in rows if row}

    def put(self, model_digest: str, vectors: Mapping[str, Vector]) -> None:
        """Remember vectors, by text."""
        rows: Iterable[tuple[bytes, bytes]] = (
            (_key(model_digest, text), array("f", vector).tobytes()) for text, vector in vectors.items()
        )
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
            database.commit()

    def _open(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.file, timeout=60))


def _key(model_digest: str, text: str) -> bytes:
    return hashlib.sha256(f"{model_digest}\n{text}".encode(errors="surrogatepass")).digest()
