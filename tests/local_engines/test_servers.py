"""Real servers: they come up, form a cluster, say why when they cannot, and are gone afterwards."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from hybridrank import local_engines
from hybridrank.local_engines.account import server_account
from hybridrank.local_engines.artifacts import load_lock
from hybridrank.local_engines.cluster import free_ports, launch, plan
from hybridrank.local_engines.elasticsearch import Elasticsearch
from hybridrank.local_engines.folders import find_folders
from hybridrank.local_engines.home import ready_home
from hybridrank.local_engines.jdk import find_jdk
from hybridrank.local_engines.node import Installation
from hybridrank.local_engines.process import is_running
from hybridrank.local_engines.runs import run_folder, this_process
from tests.local_engines.available import server_or_skip

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]  # the first start downloads 150 MB

VERSIONS = {"opensearch": "3.6.0", "elasticsearch": "9.5.3"}


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.parametrize("name", local_engines.ENGINES)
def test_a_node_comes_up_and_is_gone_afterwards(name):
    with server_or_skip(name) as engine:
        (node,) = get(f"{engine.url}/_nodes")["nodes"].values()
        assert node["version"] == engine.version == VERSIONS[name]
        health = get(f"{engine.url}/_cluster/health")
        assert (health["number_of_nodes"], health["status"]) == (1, "green")
        process, folder = engine.nodes[0].process, engine.nodes[0].log.parent.parent
        assert is_running(process)
        assert folder.is_dir()
    assert not is_running(process)
    assert not folder.exists()
    with pytest.raises(OSError, match="refused"):
        get(engine.url)


def test_a_server_that_cannot_start_shows_the_end_of_its_log():
    with (
        pytest.raises(local_engines.NodeFailed, match=r"elasticsearch 9\.5\.3, node-1: ended with") as caught,
        server_or_skip("elasticsearch", heap_mb=1),
    ):
        pass
    assert "heap size" in caught.value.log_tail


def test_another_server_on_the_port_is_not_taken_for_ours():
    """Somebody may take a free port between our looking and our listening."""
    with server_or_skip("elasticsearch") as other:
        taken = int(other.url.rpartition(":")[2])
        with (
            pytest.raises(local_engines.LocalEngineError, match=f":{taken} already"),
            local_engines.start("elasticsearch", port=taken),
        ):
            pass
        account = server_account()
        folders, jdk, server = find_folders(account), find_jdk(account=account), Elasticsearch()
        home = ready_home(server, jdk, folders, artifacts=load_lock()[server.name])
        with run_folder(folders.runs, this_process()) as folder:
            cluster = plan("c", folder, nodes=1, heap_mb=512, port=None)
            (node,) = cluster.nodes
            crossed = dataclasses.replace(cluster, nodes=(dataclasses.replace(node, http_port=taken),))
            with pytest.raises(local_engines.NodeFailed, match="Address already in use"):
                launch(Installation(server, jdk, home, account), crossed)
        assert get(f"{other.url}/_cluster/health")["status"] == "green"


def test_a_port_of_ones_own():
    (port,) = free_ports(1)
    with server_or_skip("elasticsearch", port=port) as engine:
        assert engine.url == f"http://127.0.0.1:{port}"


@pytest.fixture
def engines_folder():
    """A folder for servers that no other test and no user shares, where another account can enter."""
    folder = Path(tempfile.mkdtemp(prefix="hybridrank-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_server_outlives_the_command_that_started_it(engines_folder):
    """Every command is a program of its own, as it is in a shell."""

    def command(*arguments):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from hybridrank.cli.app import app; app()",
                "engine",
                *arguments,
                "elasticsearch",
                "--json",
            ],
            env=os.environ | {"HYBRIDRANK_ENGINES": str(engines_folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    with server_or_skip("elasticsearch"):
        pass  # so that a machine that cannot run it skips here, with the reason
    assert command("status") == (1, {"name": "elasticsearch", "running": False})
    code, first = command("start", "--heap-mb", "512")
    try:
        assert (code, first["started"], first["version"]) == (0, True, "9.5.3"), first
        assert get(f"{first['url']}/_cluster/health")["number_of_nodes"] == 1
        assert command("start") == (0, first | {"started": False})
        assert command("status")[1]["url"] == first["url"]
        code, said = command("start", "--nodes", "3")
        assert code == 1
        assert "runs already, with 1 node" in said
    finally:
        assert command("stop") == (0, {"name": "elasticsearch", "stopped": True})
    assert command("stop") == (0, {"name": "elasticsearch", "stopped": False})
    assert command("status")[0] == 1
    assert Path(first["data"]).is_dir()
