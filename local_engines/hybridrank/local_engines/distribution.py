"""The common interface of OpenSearch and Elasticsearch: a home folder, settings, a command."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hybridrank.local_engines.jdk import Jdk

__all__ = ["ClusterPlan", "Distribution", "Folder", "NodePlan"]

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Folder:
    """A folder of the home and its artifacts, from which the lock file is resolved.

    `roots` are `group:name:version[:packaging]`. `dependencies` adds their runtime dependencies, except those whose
    name is in `leave_out` or that a folder in `beneath` already has (a duplicate class stops the server).
    """

    path: str
    roots: tuple[str, ...]
    dependencies: bool = True
    beneath: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    part: str = "node"


@dataclass(frozen=True)
class NodePlan:
    """A planned node: its name, its folder (config, data, logs, tmp) and its two ports on loopback."""

    name: str
    folder: Path
    http_port: int
    transport_port: int

    @property
    def config(self) -> Path:
        """Folder of settings files, rewritten at each start."""
        return self.folder / "config"

    @property
    def data(self) -> Path:
        """Folder of the indices."""
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        """Folder of log files; `output` has the output of the process."""
        return self.folder / "logs"

    @property
    def tmp(self) -> Path:
        """Temporary folder of the process."""
        return self.folder / "tmp"

    @property
    def output(self) -> Path:
        """File with standard output and standard error of the process."""
        return self.logs / "output.log"

    @property
    def url(self) -> str:
        """HTTP address of the node."""
        return f"http://{LOOPBACK}:{self.http_port}"


@dataclass(frozen=True)
class ClusterPlan:
    """The nodes of one cluster, and the heap of each in megabytes."""

    name: str
    nodes: tuple[NodePlan, ...]
    heap_mb: int

    @property
    def seed_hosts(self) -> list[str]:
        """Transport addresses of all nodes."""
        return [f"{LOOPBACK}:{node.transport_port}" for node in self.nodes]


class Distribution(Protocol):
    """A server that can be assembled from artifacts; pure, so that every file and flag can be tested."""

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
        """The wanted artifacts (see Artifact.part)."""
        ...

    @property
    def written_files(self) -> Mapping[str, str]:
        """Files of the home that are written instead of downloaded: path → text."""
        ...

    def config_files(self, cluster: ClusterPlan, node: NodePlan) -> Mapping[str, str]:
        """Returns the files of the node's config folder: name → text."""
        ...

    def command(self, jdk: Jdk, home: Path, cluster: ClusterPlan, node: NodePlan) -> list[str]:
        """Returns the command that runs the node in the foreground."""
        ...

    def compile(self, jdk: Jdk, home: Path) -> None:
        """Compiles the source files of the home into classes, once, when the home is assembled."""
        ...
