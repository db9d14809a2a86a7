"""Running clusters, recorded in files, so that another shell can find and stop them."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hybridrank.common import atomic
from hybridrank.local_engines.cluster import RunningNode
from hybridrank.local_engines.process import ProcessId, is_running

__all__ = ["State", "forget", "locked", "read_state", "write_state"]


@dataclass(frozen=True)
class State:
    """A cluster that was started from the command line; its indices are in `data`."""

    name: str
    version: str
    ml_commons: bool
    nodes: tuple[RunningNode, ...]
    data: Path

    @property
    def url(self) -> str:
        """HTTP address of its first node."""
        return self.nodes[0].url

    @property
    def is_running(self) -> bool:
        """True if every process of it still runs."""
        return all(is_running(node.process) for node in self.nodes)

    def as_json(self) -> dict[str, Any]:
        """Returns the content of the file, and of `--json`."""
        fields: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return {"url": self.url} | fields


def read_state(folder: Path, name: str) -> State | None:
    """Returns the recorded state of the server `name`, None if there is none."""
    try:
        fields = json.loads(_file(folder, name).read_text("utf-8"))
    except FileNotFoundError:
        return None
    nodes = tuple(
        RunningNode(node["name"], node["url"], ProcessId(**node["process"]), Path(node["log"]))
        for node in fields["nodes"]
    )
    return State(fields["name"], fields["version"], fields["ml_commons"], nodes, Path(fields["data"]))


def write_state(folder: Path, state: State) -> None:
    """Writes the file in one step."""
    atomic.write_text(_file(folder, state.name), json.dumps(state.as_json(), indent=1) + "\n")


def forget(folder: Path, name: str) -> None:
    """Removes the file."""
    _file(folder, name).unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Lets one process at a time start or stop the server `name`; the others wait."""
    with (folder / f"{name}.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"
