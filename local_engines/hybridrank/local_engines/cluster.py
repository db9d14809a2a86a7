"""Starts the nodes of one cluster together and waits until they have found each other."""

import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hybridrank.local_engines import node as nodes
from hybridrank.local_engines.distribution import LOOPBACK, ClusterPlan, NodePlan
from hybridrank.local_engines.errors import LocalEngineError
from hybridrank.local_engines.node import Installation
from hybridrank.local_engines.process import ProcessId, leash, process_id, stop, unleash
from hybridrank.local_engines.progress import stderr_console, waiting

__all__ = ["Launched", "RunningNode", "free_ports", "launch", "plan"]

READY_TIMEOUT_S = 180.0  # one node takes 15 s on two cores; three nodes on a busy machine take longer
POLL_S = 0.2


@dataclass(frozen=True)
class RunningNode:
    """A node that answers."""

    name: str
    url: str
    process: ProcessId
    log: Path


@dataclass(frozen=True)
class _Leashed:
    """A node's process, and the leash that ends it when this program ends."""

    process: "subprocess.Popen[bytes]"
    leash: "subprocess.Popen[bytes]"


@dataclass(frozen=True)
class Launched:
    """A running cluster: it ends with this program unless it is stopped before or let go."""

    installation: Installation
    plan: ClusterPlan
    leashed: dict[str, _Leashed]

    @property
    def nodes(self) -> tuple[RunningNode, ...]:
        """The running nodes, in the order of the plan."""
        running = ((node, self.leashed[node.name].process) for node in self.plan.nodes if node.name in self.leashed)
        return tuple(
            RunningNode(node.name, node.url, _identity(process, self.installation, node), node.output)
            for node, process in running
        )

    def stop_node(self, name: str) -> None:
        """Stops one node and waits for its end."""
        _end([self.leashed.pop(name)])

    def start_node(self, name: str, *, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Restarts a stopped node on its old ports and data; returns when it sees the other nodes."""
        node = next(node for node in self.plan.nodes if node.name == name)
        self.leashed[name] = _spawn(self.installation, self.plan, node)
        waited_for = [(node, self.leashed[name].process)]
        _wait(self.installation, waited_for, len(self.leashed), stderr_console(), timeout_s)

    def stop(self) -> None:
        """Stops every node and waits for their end."""
        _end([*self.leashed.values()])

    def let_go(self) -> None:
        """Lets the nodes outlive this program."""
        for each in self.leashed.values():
            unleash(each.leash)
            each.process.returncode = 0  # nobody here waits for it


def free_ports(count: int) -> list[int]:
    """Returns `count` different loopback ports on which nobody listens now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def plan(name: str, folder: Path, *, nodes: int, heap_mb: int, port: int | None) -> ClusterPlan:
    """Plans a cluster in `folder`; `port` is the HTTP port of its first node (None: any free one).

    Raises LocalEngineError if another program already listens on `port`.
    """
    ports = free_ports(2 * nodes)
    http, transport = ports[:nodes], ports[nodes:]
    if port is not None:
        if _is_taken(port):
            raise LocalEngineError(f"something listens on {LOOPBACK}:{port} already: choose another port")
        http[0] = port
    names = [f"node-{number}" for number in range(1, nodes + 1)]
    laid_out = zip(names, http, transport, strict=True)
    return ClusterPlan(
        name, tuple(NodePlan(each, folder / each, first, second) for each, first, second in laid_out), heap_mb
    )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def launch(
    installation: Installation,
    cluster: ClusterPlan,
    *,
    console: Console | None = None,
    timeout_s: float = READY_TIMEOUT_S,
) -> Launched:
    """Starts every node and returns when each node sees all nodes.

    Raises NodeFailed with the end of the log if a node ends or `timeout_s` seconds pass; then no node is left running.
    """
    launched = Launched(installation, cluster, {})
    try:
        for node in cluster.nodes:
            launched.leashed[node.name] = _spawn(installation, cluster, node)
        started = [(node, launched.leashed[node.name].process) for node in cluster.nodes]
        _wait(installation, started, len(started), console or stderr_console(), timeout_s)
        return launched
    except BaseException:
        launched.stop()
        raise


def _spawn(installation: Installation, cluster: ClusterPlan, node: NodePlan) -> _Leashed:
    nodes.prepare(installation, cluster, node)
    process = nodes.spawn(installation, cluster, node)
    return _Leashed(process, leash(process.pid))


def _end(ended: Sequence[_Leashed]) -> None:
    stop([each for each in (process_id(leashed.process.pid) for leashed in ended) if each])
    for leashed in ended:
        leashed.process.wait()
        unleash(leashed.leash)


def _wait(
    installation: Installation,
    started: Sequence[tuple[NodePlan, "subprocess.Popen[bytes]"]],
    count: int,
    console: Console,
    timeout_s: float,
) -> None:
    """Waits until each of `started` sees `count` nodes."""
    deadline = time.monotonic() + timeout_s
    waited_for = [*started]
    distribution = installation.distribution
    with waiting(f"starting {distribution.name} {distribution.version}", console) as tick:
        while waited_for:
            node, _ = waited_for[0]
            for other, process in waited_for:
                if process.poll() is not None:
                    raise nodes.failure(installation, other, f"ended with exit status {process.returncode}")
            if _is_ready(node, waited_for[0][1], count):
                waited_for.pop(0)
                continue
            if time.monotonic() > deadline:
                raise nodes.failure(installation, node, f"not ready after {timeout_s:.0f} s")
            tick()
            time.sleep(POLL_S)


def _is_ready(node: NodePlan, process: "subprocess.Popen[bytes]", count: int) -> bool:
    """Returns True if the node sees `count` nodes and is our process: another program may have taken the port."""
    health = nodes.ask(node.url, "/_cluster/health?local=true")
    if not health or health["number_of_nodes"] != count or health["status"] == "red":
        return False
    answering = nodes.ask(node.url, "/_nodes/_local/process")
    return bool(answering) and [each["process"]["id"] for each in answering["nodes"].values()] == [process.pid]


def _identity(process: "subprocess.Popen[bytes]", installation: Installation, node: NodePlan) -> ProcessId:
    identity = process_id(process.pid)
    if identity is None:
        raise nodes.failure(installation, node, "ended just after it became ready")
    return identity
