"""The files and the command each server is started with."""

import json
from pathlib import Path

import pytest

from hybridrank import local_engines
from hybridrank.local_engines.cluster import plan
from hybridrank.local_engines.elasticsearch import Elasticsearch
from hybridrank.local_engines.jdk import Jdk
from hybridrank.local_engines.opensearch import OpenSearch

JDK = Jdk(Path("/jdk"), 21)


def settings(text):
    """Read the flat YAML we write, whose values are JSON."""
    return {name: json.loads(value) for name, _, value in (line.partition(": ") for line in text.splitlines())}


def descriptor(distribution, module):
    text = distribution.written_files[f"modules/{module}/plugin-descriptor.properties"]
    return dict(line.split("=", 1) for line in text.splitlines())


def test_a_descriptor_of_opensearch():
    assert descriptor(OpenSearch(), "analysis-common") == {
        "description": "analysis-common of OpenSearch",
        "version": "3.6.0",
        "name": "analysis-common",
        "classname": "org.opensearch.analysis.common.CommonAnalysisModulePlugin",
        "java.version": "21",
        "opensearch.version": "3.6.0",
        "extended.plugins": "lang-painless",
        "has.native.controller": "false",
    }


def test_the_descriptor_of_elasticsearch():
    fields = descriptor(Elasticsearch(), "transport-netty4")
    assert fields["classname"] == "org.elasticsearch.transport.netty4.Netty4Plugin"
    assert fields["elasticsearch.version"] == "9.5.3"
    assert not {"stable", "modulename"} & fields.keys()


def test_the_transport_of_opensearch_may_open_connections():
    assert "SocketPermission" in OpenSearch().written_files["modules/transport-netty4/plugin-security.policy"]


@pytest.mark.parametrize(
    ("distribution", "file", "first_managers"),
    [
        (OpenSearch(), "opensearch.yml", "cluster.initial_cluster_manager_nodes"),
        (Elasticsearch(), "elasticsearch.yml", "cluster.initial_master_nodes"),
    ],
)
def test_one_node_runs_alone_and_several_discover_each_other(distribution, file, first_managers, tmp_path):
    alone = plan("c", tmp_path, nodes=1, heap_mb=512, port=9200)
    written = settings(distribution.config_files(alone, alone.nodes[0])[file])
    assert written["discovery.type"] == "single-node"
    assert first_managers not in written
    assert (written["network.host"], written["http.port"]) == ("127.0.0.1", 9200)

    three = plan("c", tmp_path, nodes=3, heap_mb=512, port=None)
    written = settings(distribution.config_files(three, three.nodes[1])[file])
    assert written["discovery.seed_hosts"] == three.seed_hosts
    assert written[first_managers] == ["node-1", "node-2", "node-3"]
    assert (written["node.name"], written["path.data"]) == ("node-2", f"{tmp_path}/node-2/data")
    assert "discovery.type" not in written


def test_ml_commons_runs_on_every_node_when_it_is_there(tmp_path):
    cluster = plan("c", tmp_path, nodes=1, heap_mb=512, port=None)
    with_it = settings(OpenSearch(ml_commons=True).config_files(cluster, cluster.nodes[0])["opensearch.yml"])
    assert with_it["plugins.ml_commons.only_run_on_ml_node"] is False
    assert not [
        name
        for name in settings(OpenSearch().config_files(cluster, cluster.nodes[0])["opensearch.yml"])
        if "ml" in name
    ]


@pytest.mark.parametrize("distribution", [OpenSearch(), Elasticsearch()])
def test_the_heap_is_what_was_asked_for(distribution, tmp_path):
    home = tmp_path / "home"
    (home / "agent").mkdir(parents=True)
    (home / "agent" / "opensearch-agent-3.6.0.jar").touch()
    cluster = plan("c", tmp_path, nodes=1, heap_mb=640, port=None)
    command = distribution.command(JDK, home, cluster, cluster.nodes[0])
    assert command[0] == "/jdk/bin/java"
    assert "-Xmx640m" in command


@pytest.mark.parametrize(
    ("name", "ml_commons", "said"),
    [
        ("solr", False, "'solr': it is one of opensearch, elasticsearch"),
        ("elasticsearch", True, "ml-commons is a plugin of OpenSearch"),
    ],
)
def test_unknown_engines_and_versions_are_named(name, ml_commons, said):
    with pytest.raises(local_engines.LocalEngineError, match=said), local_engines.start(name, ml_commons=ml_commons):
        pass
