"""Replaces a file, or adds a folder or lines, in one step: a reader sees all of it or nothing of it."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["append_lines", "new_folder", "replacing", "write_text"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path in the same folder to write to; it replaces `path` at the end, and is removed after an error."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)  # of a process that was killed
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes `path` as UTF-8, in one step."""
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")


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


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields a hidden folder beside `path` to fill; it becomes `path` at the end, and is removed after an error.

    Raises BlockingIOError while another process fills it; what a killed one left is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with _locked(draft, path):
        try:
            for each in draft.iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()
            yield draft
            draft.rename(path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _locked(draft: Path, path: Path) -> Iterator[None]:
    """Makes the folder `draft`, if it is not there, and holds it; the system lets go of it when the process ends."""
    while (held := _hold(draft, path)) is None:
        pass  # another process has just finished
    try:
        yield
    finally:
        os.close(held)


def _hold(draft: Path, path: Path) -> int | None:
    """Returns the open folder `draft`, locked; None if it was renamed meanwhile."""
    draft.mkdir(exist_ok=True)
    try:
        held = os.open(draft, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(draft.stat(), os.fstat(held)):
            return held
    except FileNotFoundError:
        pass
    except BlockingIOError:
        os.close(held)
        problem = "another process is writing it; wait for that one, or name another folder"
        raise BlockingIOError(errno.EAGAIN, problem, str(path)) from None
    os.close(held)
    return None
