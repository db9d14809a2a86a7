"""OpenSearch 3.6.0 from its published jars: with k-NN and neural-search, and ml-commons if requested.

The jars of the modules are published, but not their folders: this file defines the layout.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hybridrank.local_engines.distribution import LOOPBACK, ClusterPlan, Folder, NodePlan
from hybridrank.local_engines.jdk import Jdk
from hybridrank.local_engines.text import LOGGING, Setting, as_properties, as_yaml

__all__ = ["FOLDERS", "OpenSearch"]

VERSION = "3.6.0"
ML_COMMONS = "ml-commons"
_PACKAGE = "org.opensearch"

# Module folder → its artifact, its plugin class, and the module whose classes it uses.
_MODULES = {
    "transport-netty4": ("transport-netty4-client", f"{_PACKAGE}.transport.Netty4ModulePlugin", ""),
    "lang-painless": ("lang-painless", f"{_PACKAGE}.painless.PainlessModulePlugin", ""),
    "analysis-common": (
        "analysis-common",
        f"{_PACKAGE}.analysis.common.CommonAnalysisModulePlugin",
        "lang-painless",
    ),
    "mapper-extras": ("mapper-extras-client", f"{_PACKAGE}.index.mapper.MapperExtrasModulePlugin", ""),
    "reindex": ("reindex-client", f"{_PACKAGE}.index.reindex.ReindexModulePlugin", ""),
    "parent-join": ("parent-join-client", f"{_PACKAGE}.join.ParentJoinModulePlugin", ""),
    "search-pipeline-common": (
        "search-pipeline-common",
        f"{_PACKAGE}.search.pipeline.common.SearchPipelineCommonModulePlugin",
        "",
    ),
    "lang-mustache": ("lang-mustache-client", f"{_PACKAGE}.script.mustache.MustacheModulePlugin", ""),
    "ingest-common": ("ingest-common", f"{_PACKAGE}.ingest.common.IngestCommonModulePlugin", "lang-painless"),
    "aggs-matrix-stats": (
        "aggs-matrix-stats-client",
        f"{_PACKAGE}.search.aggregations.matrix.MatrixAggregationModulePlugin",
        "",
    ),
    "transport-grpc": ("transport-grpc", f"{_PACKAGE}.transport.grpc.GrpcPlugin", ""),
}
# HTTP/3 is off; its jars contain native code for five platforms.
_QUIC = ("netty-codec-classes-quic", "netty-codec-native-quic", "netty-codec-http3")
# Folder under plugins/ → its zip, and the part that needs it.
_PLUGINS = {
    "opensearch-job-scheduler": ("opensearch-job-scheduler", "node"),
    "opensearch-knn": ("opensearch-knn", "node"),
    "opensearch-neural-search": ("neural-search", "node"),
    "opensearch-ml": ("opensearch-ml-plugin", ML_COMMONS),
}
# ml-commons encrypts the credentials of its connectors with these; without them, creating one ends the node.
_CRYPTOGRAPHY = (
    "org.bouncycastle:bc-fips:2.1.2",
    "org.bouncycastle:bcutil-fips:2.1.5",
    "org.bouncycastle:bctls-fips:2.1.22",
)

FOLDERS = (
    Folder("lib", (f"org.opensearch:opensearch:{VERSION}",)),
    Folder(
        "lib",
        (
            "org.apache.logging.log4j:log4j-core:2.25.3",  # same version as the log4j-api above
            f"org.opensearch:opensearch-plugin-classloader:{VERSION}",
            "org.locationtech.jts:jts-core:1.19.0",
            "org.locationtech.spatial4j:spatial4j:0.7",
        ),
        dependencies=False,
    ),
    Folder("lib", _CRYPTOGRAPHY, dependencies=False, part=ML_COMMONS),
    Folder("agent", (f"org.opensearch:opensearch-agent:{VERSION}",)),
    *(
        Folder(
            f"modules/{folder}",
            (f"org.opensearch.plugin:{artifact}:{VERSION}",),
            beneath=("lib", *([f"modules/{extended}"] if extended else [])),
            leave_out=_QUIC,
        )
        for folder, (artifact, _, extended) in _MODULES.items()
    ),
    *(
        Folder(
            f"plugins/{folder}", (f"org.opensearch.plugin:{artifact}:{VERSION}.0:zip",), dependencies=False, part=part
        )
        for folder, (artifact, part) in _PLUGINS.items()
    ),
)

# The agent lets only code with this permission open connections; without it, nodes never find each other.
_TRANSPORT_POLICY = 'grant {\n  permission java.net.SocketPermission "*", "accept,connect";\n};\n'


@dataclass(frozen=True)
class OpenSearch:
    """OpenSearch with k-NN (the `lucene` engine), neural-search and job-scheduler; ml-commons adds 390 MB."""

    ml_commons: bool = False
    name: str = "opensearch"
    version: str = VERSION

    @property
    def parts(self) -> frozenset[str]:
        """The wanted artifacts."""
        return frozenset({"node", ML_COMMONS}) if self.ml_commons else frozenset({"node"})

    @property
    def written_files(self) -> Mapping[str, str]:
        """The descriptor of each module, and the permissions of the transport."""
        descriptors = {
            f"modules/{folder}/plugin-descriptor.properties": as_properties(
                {
                    "description": f"{folder} of OpenSearch",
                    "version": VERSION,
                    "name": folder,
                    "classname": plugin_class,
                    "java.version": "21",
                    "opensearch.version": VERSION,
                    "extended.plugins": extended,
                    "has.native.controller": "false",
                }
            )
            for folder, (_, plugin_class, extended) in _MODULES.items()
        }
        return descriptors | {"modules/transport-netty4/plugin-security.policy": _TRANSPORT_POLICY}

    def config_files(self, cluster: ClusterPlan, node: NodePlan) -> Mapping[str, str]:
        """Returns opensearch.yml and log4j2.properties, which logs to standard output."""
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
            settings["cluster.initial_cluster_manager_nodes"] = [each.name for each in cluster.nodes]
        if self.ml_commons:
            settings["plugins.ml_commons.only_run_on_ml_node"] = False
        return {"opensearch.yml": as_yaml(settings), "log4j2.properties": LOGGING}

    def command(self, jdk: Jdk, home: Path, cluster: ClusterPlan, node: NodePlan) -> list[str]:
        """Returns the command that runs the node in the foreground."""
        (agent,) = (home / "agent").glob(f"opensearch-agent-{VERSION}.jar")
        return [
            str(jdk.java),
            "-Xms256m",
            f"-Xmx{cluster.heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "--add-modules=jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            f"-javaagent:{agent}",
            f"-Djava.io.tmpdir={node.tmp}",
            f"-Dopensearch.path.home={home}",
            f"-Dopensearch.path.conf={node.config}",
            "-Dopensearch.distribution.type=tar",
            "-Dlog4j2.disable.jmx=true",
            "-Dlog4j.shutdownHookEnabled=false",  # the server closes its log itself, after its last line
            "-Djava.awt.headless=true",
            "-cp",
            f"{home}/lib/*",
            "org.opensearch.bootstrap.OpenSearch",
        ]

    def compile(self, jdk: Jdk, home: Path) -> None:
        """Does nothing: OpenSearch has its own main class."""
