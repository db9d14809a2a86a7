"""Folders for clusters that end with the program that started them, removed later if that program was killed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hybridrank.local_engines.process import ProcessId, is_running, process_id

__all__ = ["clear_abandoned", "run_folder", "this_process"]

_OWNER = "owner"


@contextmanager
def run_folder(runs: Path, owner: ProcessId) -> Iterator[Path]:
    """Yields a new folder in `runs` and removes it afterwards; `owner` is written into it to identify its program."""
    clear_abandoned(runs)
    folder = Path(tempfile.mkdtemp(prefix=f"{owner.pid}-", dir=runs))
    try:
        folder.chmod(0o755)
        (folder / _OWNER).write_text(f"{owner.pid} {owner.started}\n", "utf-8")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_abandoned(runs: Path) -> None:
    """Removes folders whose owner no longer runs."""
    for owner_file in runs.glob(f"*/{_OWNER}"):
        try:
            pid, started = owner_file.read_text("utf-8").split()
        except FileNotFoundError:  # another program removes them at the same time
            continue
        if not is_running(ProcessId(int(pid), started)):
            shutil.rmtree(owner_file.parent, ignore_errors=True)


def this_process() -> ProcessId:
    """Returns the current process."""
    identity = process_id(os.getpid())
    assert identity is not None
    return identity
