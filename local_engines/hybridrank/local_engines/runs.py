"""Folders for clusters that end with the program that started them, cleared even after a program that was killed."""

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
    """Give a new folder in `runs`, gone afterwards; `owner` is written into it, so that others know who has it."""
    clear_abandoned(runs)
    folder = Path(tempfile.mkdtemp(prefix=f"{owner.pid}-", dir=runs))
    try:
        folder.chmod(0o755)
        (folder / _OWNER).write_text(f"{owner.pid} {owner.started}\n", "utf-8")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_abandoned(runs: Path) -> None:
    """Remove folders whose owner no longer runs."""
    for owner_file in runs.glob(f"*/{_OWNER}"):
        try:
            pid, started = owner_file.read_text("utf-8").split()
        except FileNotFoundError:  # another program clears at the same time
            continue
        if not is_running(ProcessId(int(pid), started)):
            shutil.rmtree(owner_file.parent, ignore_errors=True)


def this_process() -> ProcessId:
    """Return the process we are."""
    identity = process_id(os.getpid())
    assert identity is not None
    return identity
