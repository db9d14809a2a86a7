"""Starts, finds and stops real servers on this machine: the functions for programs and the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

from hybridrank.common.counts import counted
from hybridrank.local_engines.account import Account, server_account
from hybridrank.local_engines.artifacts import load_lock
from hybridrank.local_engines.cluster import Launched, RunningNode, launch, plan
from hybridrank.local_engines.distribution import Distribution
from hybridrank.local_engines.elasticsearch import Elasticsearch
from hybridrank.local_engines.errors import LocalEngineError
from hybridrank.local_engines.folders import Folders, find_folders
from hybridrank.local_engines.home import ready_home
from hybridrank.local_engines.jdk import find_jdk
from hybridrank.local_engines.node import Installation
from hybridrank.local_engines.opensearch import OpenSearch
from hybridrank.local_engines.process import ProcessId, stop
from hybridrank.local_engines.runs import run_folder, this_process
from hybridrank.local_engines.state import State, forget, locked, read_state, write_state

__all__ = [
    "ENGINES",
    "HEAP_MB",
    "LocalEngine",
    "StartedEngine",
    "detached",
    "running",
    "start",
    "start_detached",
    "stop_detached",
]

ENGINES = ("opensearch", "elasticsearch")
HEAP_MB = 768  # enough for some hundred thousand passages with vectors, and leaves a laptop memory for the sidecar


@dataclass(frozen=True)
class LocalEngine:
    """A cluster on this machine: `url` is its first node, `version` the version of its nodes."""

    name: str
    version: str
    nodes: tuple[RunningNode, ...]

    @property
    def url(self) -> str:
        """HTTP address of the first node."""
        return self.nodes[0].url


@dataclass(frozen=True)
class StartedEngine(LocalEngine):
    """A cluster that this program started: `nodes` as they were at its start. A node can be stopped and restarted."""

    cluster: Launched = field(repr=False)

    def process(self, name: str) -> ProcessId:
        """Returns the current process of a node."""
        return next(node.process for node in self.cluster.nodes if node.name == name)

    def stop_node(self, name: str) -> None:
        """Stops one node as its operator would (SIGTERM), and waits for its end."""
        self.cluster.stop_node(name)

    def start_node(self, name: str) -> None:
        """Restarts it on its old ports and data; returns when it sees the other running nodes."""
        self.cluster.start_node(name)


@contextmanager
def start(
    name: str,
    *,
    nodes: int = 1,
    ml_commons: bool = False,
    port: int | None = None,
    heap_mb: int = HEAP_MB,
    console: Console | None = None,
) -> Iterator[StartedEngine]:
    """Runs a new cluster during the `with` block; it ends with this program, even if the program is killed.

    `name` is "opensearch" or "elasticsearch", `heap_mb` the heap of each node in megabytes, `port` the HTTP port of
    the first node (a free one if None). Progress goes to `console` (standard error). Raises JdkMissing,
    DownloadFailed or NodeFailed.
    """
    distribution = _distribution(name, ml_commons=ml_commons)
    account = server_account()
    folders = find_folders(account)
    installation = _install(distribution, folders, account, console)
    with run_folder(folders.runs, this_process()) as folder:
        cluster = plan(f"hybridrank-{name}", folder, nodes=nodes, heap_mb=heap_mb, port=port)
        launched = launch(installation, cluster, console=console)
        try:
            yield StartedEngine(name, distribution.version, launched.nodes, launched)
        finally:
            launched.stop()


def running(name: str) -> LocalEngine | None:
    """Returns the cluster that `hybridrank engine start` left running, None if there is none."""
    state = detached(name)
    return LocalEngine(name, state.version, state.nodes) if state and state.is_running else None


def detached(name: str) -> State | None:
    """Returns the state that the last `start_detached` saved, whether or not the cluster still runs."""
    return read_state(find_folders(server_account()).state, name)


def start_detached(
    name: str,
    *,
    nodes: int = 1,
    ml_commons: bool = False,
    port: int | None = None,
    heap_mb: int = HEAP_MB,
    console: Console | None = None,
) -> tuple[State, bool]:
    """Starts a cluster that outlives this program; returns it, and True if it was not already running.

    Its indices are kept between starts. Raises the errors of `start`, and LocalEngineError if a cluster with other
    options already runs.
    """
    distribution = _distribution(name, ml_commons=ml_commons)
    account = server_account()
    folders = find_folders(account)
    with locked(folders.state, name):
        state = read_state(folders.state, name)
        if state and state.is_running:
            _same_shape(state, nodes=nodes, ml_commons=ml_commons, port=port)
            return state, False
        if state:
            stop([node.process for node in state.nodes])  # some of its nodes may still run
        installation = _install(distribution, folders, account, console)
        data = folders.data / f"{name}-{nodes}{'-ml-commons' if ml_commons else ''}"
        cluster = plan(f"hybridrank-{name}", data, nodes=nodes, heap_mb=heap_mb, port=port)
        launched = launch(installation, cluster, console=console)
        state = State(name, distribution.version, ml_commons, launched.nodes, data)
        write_state(folders.state, state)
        launched.let_go()
        return state, True


def stop_detached(name: str) -> bool:
    """Stops the cluster that `start_detached` started; returns True if there was one. Its indices are kept."""
    folders = find_folders(server_account())
    with locked(folders.state, name):
        state = read_state(folders.state, name)
        stopped = stop([node.process for node in state.nodes]) if state else ()
        forget(folders.state, name)
        return bool(stopped)


def _distribution(name: str, *, ml_commons: bool) -> Distribution:
    if name == "opensearch":
        return OpenSearch(ml_commons=ml_commons)
    if name != "elasticsearch":
        raise LocalEngineError(f"there is no local engine {name!r}: it is one of {', '.join(ENGINES)}")
    if ml_commons:
        raise LocalEngineError("ml-commons is a plugin of OpenSearch; Elasticsearch has no such part")
    return Elasticsearch()


def _install(
    distribution: Distribution, folders: Folders, account: Account | None, console: Console | None
) -> Installation:
    jdk = find_jdk(account=account)
    home = ready_home(distribution, jdk, folders, artifacts=load_lock()[distribution.name], console=console)
    return Installation(distribution, jdk, home, account)


def _same_shape(state: State, *, nodes: int, ml_commons: bool, port: int | None) -> None:
    fits = len(state.nodes) == nodes and state.ml_commons == ml_commons
    if not fits or (port is not None and not state.url.endswith(f":{port}")):
        raise LocalEngineError(
            f"{state.name} runs already, with {counted(len(state.nodes), 'node')}"
            f"{' and ml-commons' if state.ml_commons else ''}, at {state.url}: stop it first "
            f"(hybridrank engine stop {state.name}), or use it as it is"
        )
