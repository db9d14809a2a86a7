"""Keys and certificates on disk: read at the start, read again if the files change, never half replaced."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger("sidecar")

Content = TypeVar("Content")
Stamp = tuple[int, int, int] | None


class Reloaded(Generic[Content]):
    """Result of `read` on some files. They are checked on every use, which costs two microseconds each.

    If they changed and `read` fails (a certificate has been replaced, its key not yet), the previous result stays in
    use, one log line reports it, and the next change is tried again.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], Content]) -> None:
        self._paths = tuple(paths)
        self._read = read
        self._stamps = self._look()
        self._content = read()

    def current(self) -> Content:
        """Returns the content of the current files, or the last readable content."""
        stamps = self._look()
        if stamps != self._stamps:
            self._stamps = stamps
            files = [str(path) for path in self._paths]
            try:
                self._content = self._read()
            except (OSError, ValueError) as error:
                log.error("not reloaded, what was read before stays", files=files, error=str(error))
            else:
                log.info("reloaded", files=files)
        return self._content

    def _look(self) -> tuple[Stamp, ...]:
        return tuple(_stamp(path) for path in self._paths)


def _stamp(path: Path) -> Stamp:
    """Returns a stamp that differs between two versions of a file, also behind a replaced link; None without a file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
