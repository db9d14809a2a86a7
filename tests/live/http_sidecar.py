"""A sidecar in a process of its own with the HTTP face, and the log of the calls that it answered."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPEAKS_HTTP = "hybridrank sidecar speaks HTTP on "


@dataclass(frozen=True)
class HttpSidecarProcess:
    """`url` is its HTTP face, `address` its gRPC one."""

    url: str
    address: str
    log: Path

    def calls(self, path: str) -> list[dict[str, Any]]:
        """The log's lines about POSTs to this path, oldest first."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == "call" and line["method"] == f"POST {path}"]


@contextmanager
def http_sidecar(folder: Path, *flags: str) -> Iterator[HttpSidecarProcess]:
    """Serve the models that ship until the block ends; the log is in `folder`."""
    log = folder / "sidecar.log"
    command = [
        sys.executable,
        "-m",
        "hybridrank.sidecar",
        "--port",
        "0",
        "--http-port",
        "0",
        "--exit-with-parent",
        *flags,
    ]
    with log.open("w") as stderr:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            address = child.stdout.readline().rpartition(" ")[2].strip()
            url = child.stdout.readline().removeprefix(SPEAKS_HTTP).strip()
            yield HttpSidecarProcess(url, address, log)
        finally:
            child.terminate()
            child.communicate(timeout=60)
