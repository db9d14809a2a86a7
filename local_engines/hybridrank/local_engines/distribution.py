"""What OpenSearch and Elasticsearch have in common from the outside: a home folder, settings, a command."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hybridrank.local_engines.jdk import Jdk

__all__ = ["ClusterPlan", "Distribution", "Folder", "NodePlan"]

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Folder:
    """A folder of the home and the artifacts it is made of, from which the lock file is resolved.

    `roots` are `group:name:version[:packaging]`. With `dependencies` their runtime dependencies follow, save those
    whose name is in `leave_out` or that a folder in `beneath` already holds (a class found twice stops the server).
    """

    path: str
    roots: tuple[str, ...]
    dependencies: bool = True
    beneath: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    part: str = "node"


@dataclass(frozen=True)
class NodePlan:
    """A node before it runs: its name, its folder (config, data, logs, tmp) and its two ports on loopback."""

    name: str
    folder: Path
    http_port: int
    transport_port: int

    @property
    def config(self) -> Path:
        """Settings files, written anew at each start."""
        return self.folder / "config"

    @property
    def data(self) -> Path:
        """Indices."""
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        """Log files; `output` holds what the process printed."""
        return self.folder / "logs"

    @property
    def tmp(self) -> Path:
        """What the process takes for its temporary folder."""
        return self.folder / "tmp"

    @property
    def output(self) -> Path:
        """Standard output and standard error of the process."""
        return self.logs / "output.log"

    @property
    def url(self) -> str:
        """Where the node answers HTTP."""
        return f"http://{LOOPBACK}:{self.http_port}"


@dataclass(frozen=True)
class ClusterPlan:
    """The nodes that find each other, and the heap of each in megabytes."""

    name: str
    nodes: tuple[NodePlan, ...]
    heap_mb: int

    @property
    def seed_hosts(self) -> list[str]:
        """Transport addresses of all nodes."""
        return [f"{LOOPBACK}:{node.transport_port}" for node in self.nodes]


class Distribution(Protocol):
    """A server that can be put together from artifacts; pure, so that every file and flag can be tested."""

    @property
    def name(self) -> str:
        """`opensearch` or `elasticsearch`."""
        ...

    @property
    def version(self) -> str:
        """The version of the server."""
        ...

    @property
    def parts(self) -> frozenset[str]:
        """Which artifacts are wanted (see Artifact.part)."""
        ...

    @property
    def written_files(self) -> Mapping[str, str]:
        """Files of the home that are written rather than downloaded: path → text."""
        ...

    def config_files(self, cluster: ClusterPlan, node: NodePlan) -> Mapping[str, str]:
        """Return the files of the node's config folder: name → text."""
        ...

    def command(self, jdk: Jdk, home: Path, cluster: ClusterPlan, node: NodePlan) -> list[str]:
        """Return the command that runs the node in the foreground."""
        ...

    def compile(self, jdk: Jdk, home: Path) -> None:
        """Turn what source the home has into classes, once, when the home is put together."""
        ...
