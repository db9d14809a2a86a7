"""Appends lines to a file: all of them or none, even if the last line of the file has no line end."""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["append_lines"]


def append_lines(file: Path, content: bytes) -> None:
    """Writes all of `content`, starting on a new line; on failure leaves the file unchanged and raises OSError."""
    with file.open("a+b", buffering=0) as out:
        size = os.fstat(out.fileno()).st_size
        if size and os.pread(out.fileno(), 1, size - 1) != b"\n":
            content = b"\n" + content
        try:
            left = memoryview(content)
            while left:
                left = left[out.write(left) :]
        except OSError:
            with suppress(OSError):
                out.truncate(size)
            raise
