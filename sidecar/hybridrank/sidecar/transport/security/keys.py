"""API keys for all protocols: a file lists the valid ones, and no log, error or repr ever shows one."""

import hashlib
import hmac
from pathlib import Path

from hybridrank.sidecar.transport.security.files import Reloaded

MIN_KEY_LENGTH = 16


class KeyRing:
    """The keys in a file, one per line; empty lines and lines that begin with # do not count.

    The file is read again if it changes, so rotate keys by adding the new one, moving the callers, and removing the old
    one. A file without keys allows no call. Raises ValueError or OSError if it cannot be read at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests = Reloaded((path,), self._read)
        if not self._digests.current():
            raise ValueError(f"{path}: there is no key in it; write one a line, of {MIN_KEY_LENGTH} characters or more")

    def accepts(self, authorization: str | None) -> bool:
        """Returns True if a header is `Bearer KEY` with a valid key; takes as long for a near miss as for any other."""
        scheme, _, key = (authorization or "").partition(" ")
        digest = _digest(key.strip())
        known = [hmac.compare_digest(digest, other) for other in self._digests.current()]
        return any(known) and scheme.lower() == "bearer"

    def __repr__(self) -> str:
        return f"KeyRing({self._path})"

    def _read(self) -> tuple[bytes, ...]:
        digests = []
        for number, line in enumerate(self._path.read_text(encoding="utf-8-sig").splitlines(), start=1):
            key = line.strip()
            if not key or key.startswith("#"):
                continue
            if len(key) < MIN_KEY_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
                raise ValueError(
                    f"{self._path}, line {number}: a key has {MIN_KEY_LENGTH} characters or more, ASCII without spaces"
                )
            digests.append(_digest(key))
        return tuple(digests)


def _digest(key: str) -> bytes:
    """Has the same length for every key, so that comparing takes constant time, and no key stays in memory."""
    return hashlib.sha256(key.encode("utf-8", errors="surrogateescape")).digest()
