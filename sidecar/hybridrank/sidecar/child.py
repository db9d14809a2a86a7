"""A sidecar as a child process of this one, for programs that need one while they run."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hybridrank.common.errors import HybridrankError
from hybridrank.common.extras import MissingExtra, install_line, missing

__all__ = ["SidecarNotStarted", "SidecarProcess", "sidecar_process"]

READY = "hybridrank sidecar ready on "
STOP_TIMEOUT_S = 10.0


class SidecarNotStarted(HybridrankError, RuntimeError):
    """The child process ended, or was not ready in time; the message has the end of its log."""


@dataclass(frozen=True)
class SidecarProcess:
    """A running child process: its address and its process id."""

    address: str
    pid: int


@contextmanager
def sidecar_process(
    *, models: Path | None = None, settings: dict[str, str] | None = None, timeout_s: float = 60.0
) -> Iterator[SidecarProcess]:
    """Starts a sidecar on a free port of this machine, waits until it is ready, and stops it at the end.

    `models` is a model folder or a folder of them (default: those that ship); `settings` are further settings of
    `docs/sidecar.md` by name, for example {"threads": "1"}. The child also ends when this process ends for any reason.
    Blocks while it waits: from asyncio, enter and leave it with `asyncio.to_thread`.

    Raises SidecarNotStarted, and MissingExtra if packages of the sidecar are not installed.
    """
    if missing("sidecar"):
        raise MissingExtra(f"the sidecar needs: {install_line('sidecar')}, or name one with --sidecar HOST:PORT")
    named = {
        "host": "127.0.0.1",
        "port": "0",
        "http_port": "-1",
        **(settings or {}),
        **({"models": str(models)} if models else {}),
    }
    variables = {f"HYBRIDRANK_SIDECAR_{name}".upper(): value for name, value in named.items()}
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "hybridrank.sidecar", "--exit-with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **variables, "PYTHONUNBUFFERED": "1"},
        )
        try:
            yield SidecarProcess(_ready_address(child, log, timeout_s), child.pid)
        finally:
            _stop(child)


def _ready_address(child: "subprocess.Popen[str]", log: IO[bytes], timeout_s: float) -> str:
    assert child.stdout is not None
    impatience = threading.Timer(timeout_s, child.kill)  # a killed child ends the wait for a line
    impatience.start()
    try:
        line = child.stdout.readline()
    finally:
        impatience.cancel()
    if line.startswith(READY):
        return line.removeprefix(READY).strip()
    status = child.wait()
    reason = f"was not ready after {timeout_s:g} s" if status == -signal.SIGKILL else f"ended with status {status}"
    log.seek(0)
    tail = log.read().decode(errors="replace")[-2000:].strip()
    raise SidecarNotStarted(f"the sidecar process {reason}. Its log ends:\n{tail or '(nothing)'}")


def _stop(child: "subprocess.Popen[str]") -> None:
    """Asks the child to drain, kills it after STOP_TIMEOUT_S, and closes the pipes."""
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
