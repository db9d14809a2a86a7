"""Run one node: write its settings, start the process, ask whether it is ready."""

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
# Nothing the caller's Java tools were given may reach the server.
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "JDK_JAVA_OPTIONS")  # the last: more options for any `java`


@dataclass(frozen=True)
class Installation:
    """A server that is ready to be started here: its files, the Java and the account it runs with (None: ours)."""

    distribution: Distribution
    jdk: Jdk
    home: Path
    account: Account | None


def prepare(installation: Installation, cluster: ClusterPlan, node: NodePlan) -> None:
    """Make the node's folders and write its settings; what is in its data folder stays."""
    for folder in (node.folder, node.config, node.data, node.logs, node.tmp):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    for name, text in installation.distribution.config_files(cluster, node).items():
        (node.config / name).write_text(text, "utf-8")
        (node.config / name).chmod(0o644)
    if installation.account:
        installation.account.own(node.folder)


def spawn(installation: Installation, cluster: ClusterPlan, node: NodePlan) -> "subprocess.Popen[bytes]":
    """Start the process, in a session of its own, so that Ctrl-C in our terminal does not reach it before we do."""
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


_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the node is on this machine


def ask(url: str, path: str) -> Any:
    """Return the JSON that the node answers, None when it does not answer or refuses (as it does while it starts)."""
    try:
        with _DIRECTLY.open(f"{url}{path}", timeout=ANSWER_TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return None
    except (OSError, http.client.HTTPException, ValueError):
        return None


def failure(installation: Installation, node: NodePlan, what: str) -> NodeFailed:
    """Return the error that says what happened and shows the end of the node's log, without its stack frames."""
    lines = node.output.read_text("utf-8", errors="replace").splitlines() if node.output.exists() else []
    tail = "\n".join([line for line in lines if not _STACK_FRAME.search(line)][-TAIL_LINES:])
    server = installation.distribution
    return NodeFailed(
        f"{server.name} {server.version}, {node.name}: {what}. The end of its log:\n{tail}", log_tail=tail
    )
