"""Runs one node: writes its settings, starts the process, checks whether it is ready."""

import http.client
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridrank.local_engines.account import Account
from hybridrank.local_engines.distribution import ClusterPlan, Distribution, NodePlan
from hybridrank.local_engines.errors import NodeFailed
from hybridrank.local_engines.jdk import Jdk

__all__ = ["Installation", "ask", "failure", "prepare", "spawn"]

TAIL_LINES = 30
ANSWER_TIMEOUT_S = 5
_STACK_FRAME = re.compile(r"(^|\] )\s+(at \S+\(.*\)|\.\.\. \d+ more)$")
# Options that the caller set for its own Java tools must not reach the server.
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "JDK_JAVA_OPTIONS")  # the last one: more options for any `java`


@dataclass(frozen=True)
class Installation:
    """A server that is ready to start: its files, its Java and its account (None: the current one)."""

    distribution: Distribution
    jdk: Jdk
    home: Path
    account: Account | None


def prepare(installation: Installation, cluster: ClusterPlan, node: NodePlan) -> None:
    """Creates the node's folders and writes its settings; its data folder keeps its content."""
    for folder in (node.folder, node.config, node.data, node.logs, node.tmp):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    for name, text in installation.distribution.config_files(cluster, node).items():
        (node.config / name).write_text(text, "utf-8")
        (node.config / name).chmod(0o644)
    if installation.account:
        installation.account.own(node.folder)


def spawn(installation: Installation, cluster: ClusterPlan, node: NodePlan) -> "subprocess.Popen[bytes]":
    """Starts the process in its own session, so that Ctrl-C in our terminal does not reach it before us."""
    account = installation.account
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    identity: dict[str, Any] = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    with node.output.open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            installation.distribution.command(installation.jdk, installation.home, cluster, node),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=node.folder,
            env=environment | {"HOME": str(node.folder)},
            start_new_session=True,
            **identity,
        )


_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy: the node is on this machine


def ask(url: str, path: str) -> Any:
    """Returns the JSON answer of the node, None if it does not answer or refuses (as it does during its start)."""
    try:
        with _DIRECTLY.open(f"{url}{path}", timeout=ANSWER_TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return None
    except (OSError, http.client.HTTPException, ValueError):
        return None


def failure(installation: Installation, node: NodePlan, what: str) -> NodeFailed:
    """Returns an error with what happened and the end of the node's log, without stack frames."""
    lines = node.output.read_text("utf-8", errors="replace").splitlines() if node.output.exists() else []
    tail = "\n".join([line for line in lines if not _STACK_FRAME.search(line)][-TAIL_LINES:])
    server = installation.distribution
    return NodeFailed(
        f"{server.name} {server.version}, {node.name}: {what}. The end of its log:\n{tail}", log_tail=tail
    )
