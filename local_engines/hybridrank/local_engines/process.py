"""Processes identified by id and start time, so that no signal reaches another program that reuses the id."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ProcessId", "is_running", "leash", "process_id", "stop", "unleash"]

GRACE_S = 20.0  # a node with open shards needs two or three to close them
POLL_S = 0.05
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE, _START_TIME = 0, 19  # fields 3 and 22 of /proc/PID/stat, counted after the program's name


@dataclass(frozen=True)
class ProcessId:
    """A process: `started` is the boot id and the start time in clock ticks since that boot."""

    pid: int
    started: str


def process_id(pid: int) -> ProcessId | None:
    """Returns the process that has the id `pid` now, None if there is none or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[_STATE] in "ZX":
        return None
    return ProcessId(pid, f"{_BOOT_ID.read_text('utf-8').strip()}/{fields[_START_TIME]}")


def is_running(process: ProcessId) -> bool:
    """Returns True if this exact process still runs."""
    return process_id(process.pid) == process


def stop(processes: Sequence[ProcessId], *, grace_s: float = GRACE_S) -> tuple[ProcessId, ...]:
    """Asks the processes to end, waits up to `grace_s` seconds for all, then kills; returns those that were running.

    An id that now belongs to another process is left alone.
    """
    stopped = tuple(process for process in processes if is_running(process))
    for signal_number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, grace_s)):
        for process in stopped:
            _send(process, signal_number)
        deadline = time.monotonic() + wait_s
        while any(is_running(process) for process in stopped) and time.monotonic() < deadline:
            time.sleep(POLL_S)
    return stopped


def _send(process: ProcessId, signal_number: signal.Signals) -> None:
    if is_running(process):
        try:
            os.kill(process.pid, signal_number)
        except ProcessLookupError:
            return  # it ended in between


def leash(pid: int) -> "subprocess.Popen[bytes]":
    """Ends the process `pid` when this program ends in any way, until `unleash`.

    A shell reads from the other end of a pipe: the read returns when our end closes, by us or by the kernel.
    """
    command = ["/bin/sh", "-c", f"read _; kill -TERM {pid} 2>/dev/null"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603


def unleash(leash: "subprocess.Popen[bytes]") -> None:
    """Lets the process live on without us, or removes the leash of an ended process."""
    leash.kill()
    leash.communicate()
