"""API keys for every wire: which are good is in a file, and no log, error or repr ever shows one."""

import hashlib
import hmac
from pathlib import Path

from hybridrank.sidecar.transport.security.files import Reloaded

MIN_KEY_LENGTH = 16


class KeyRing:
    """The keys in a file, one a line; empty lines and lines that begin with # do not count.

    The file is read again when it changes, so keys are rotated by adding the new one, moving the callers, and taking
    the old one out. One without keys lets nobody in. ValueError or OSError when it cannot be read at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests = Reloaded((path,), self._read)
        if not self._digests.current():
            raise ValueError(f"{path}: there is no key in it; write one a line, of {MIN_KEY_LENGTH} characters or more")

    def accepts(self, authorization: str | None) -> bool:
        """Whether a header reads `Bearer KEY`, with a key of ours; takes as long for a near miss as for any other."""
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
    """Of one length for every key, so that comparing takes one time; and nothing worth stealing stays in memory."""
    return hashlib.sha256(key.encode("utf-8", errors="surrogateescape")).digest()
