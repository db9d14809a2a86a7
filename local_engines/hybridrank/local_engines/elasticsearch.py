"""Elasticsearch 9.5.3 from its published jars: only the server and its HTTP transport are published.

Its main class expects a launcher that is not published, so `Launch.java` starts the node.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hybridrank.local_engines.distribution import LOOPBACK, ClusterPlan, Folder, NodePlan
from hybridrank.local_engines.errors import LocalEngineError
from hybridrank.local_engines.jdk import OLDEST, Jdk
from hybridrank.local_engines.text import LOGGING, Setting, as_properties, as_yaml

__all__ = ["FOLDERS", "Elasticsearch"]

VERSION = "9.5.3"
LAUNCHER = Path(__file__).with_name("Launch.java")

FOLDERS = (
    Folder("server", (f"org.elasticsearch:elasticsearch:{VERSION}",)),
    Folder(
        "modules/transport-netty4",
        (f"org.elasticsearch.plugin:transport-netty4:{VERSION}",),
        beneath=("server",),
    ),
)


@dataclass(frozen=True)
class Elasticsearch:
    """Elasticsearch with only the server's own analyzers, queries and retrievers."""

    name: str = "elasticsearch"
    version: str = VERSION

    @property
    def parts(self) -> frozenset[str]:
        """The wanted artifacts."""
        return frozenset({"node"})

    @property
    def written_files(self) -> Mapping[str, str]:
        """The descriptor of the transport module, and the launcher's source."""
        descriptor = {
            "description": "transport-netty4 of Elasticsearch",
            "version": VERSION,
            "name": "transport-netty4",
            "classname": "org.elasticsearch.transport.netty4.Netty4Plugin",
            "java.version": "21",
            "elasticsearch.version": VERSION,
            "has.native.controller": "false",
        }
        return {
            "modules/transport-netty4/plugin-descriptor.properties": as_properties(descriptor),
            "launcher/Launch.java": LAUNCHER.read_text("utf-8"),
        }

    def config_files(self, cluster: ClusterPlan, node: NodePlan) -> Mapping[str, str]:
        """Returns elasticsearch.yml and log4j2.properties; this server does not know the settings of x-pack."""
        settings: dict[str, Setting] = {
            "cluster.name": cluster.name,
            "node.name": node.name,
            "path.data": str(node.data),
            "path.logs": str(node.logs),
            "network.host": LOOPBACK,
            "http.port": node.http_port,
            "transport.port": node.transport_port,
            # The disk of a laptop is often fuller than these thresholds allow; shards would silently stay unassigned.
            "cluster.routing.allocation.disk.threshold_enabled": False,
        }
        if len(cluster.nodes) == 1:
            settings["discovery.type"] = "single-node"
        else:
            settings["discovery.seed_hosts"] = cluster.seed_hosts
            settings["cluster.initial_master_nodes"] = [each.name for each in cluster.nodes]
        return {"elasticsearch.yml": as_yaml(settings), "log4j2.properties": LOGGING}

    def command(self, jdk: Jdk, home: Path, cluster: ClusterPlan, node: NodePlan) -> list[str]:
        """Returns the command that runs the node in the foreground."""
        return [
            str(jdk.java),
            "-Xms256m",
            f"-Xmx{cluster.heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "--add-modules=jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            f"-Djava.io.tmpdir={node.tmp}",
            "-Dlog4j2.disable.jmx=true",
            "-Dlog4j.shutdownHookEnabled=false",  # the server closes its log itself, after its last line
            "-Djava.awt.headless=true",
            "-cp",
            f"{home}/launcher:{home}/server/*",
            "Launch",
            str(home),
            str(node.config),
        ]

    def compile(self, jdk: Jdk, home: Path) -> None:
        """Compiles the launcher for the oldest supported Java; compiling at each start would take a second."""
        launcher = home / "launcher"
        command = [str(jdk.home / "bin" / "javac"), "--release", str(OLDEST), "-cp", f"{home}/server/*"]
        command += ["-d", str(launcher), str(launcher / "Launch.java")]
        try:
            subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        except FileNotFoundError:
            raise LocalEngineError(
                f"{jdk.home} has no compiler (bin/javac): install the JDK, not only the runtime (Debian, Ubuntu: "
                f"apt install openjdk-{OLDEST}-jdk-headless)"
            ) from None
        except subprocess.CalledProcessError as error:
            raise LocalEngineError(f"could not compile the launcher of Elasticsearch:\n{error.stderr}") from error
