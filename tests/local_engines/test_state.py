"""The state of a running cluster as another shell sees it, and folders that killed programs left behind."""

import fcntl
import multiprocessing
import os
import stat
import subprocess
from pathlib import Path

import pytest

from hybridrank.local_engines.account import Account, server_account
from hybridrank.local_engines.cluster import RunningNode, free_ports, plan
from hybridrank.local_engines.errors import LocalEngineError
from hybridrank.local_engines.folders import find_folders
from hybridrank.local_engines.process import ProcessId, process_id
from hybridrank.local_engines.runs import run_folder, this_process
from hybridrank.local_engines.state import State, forget, locked, read_state, write_state


def state_of(*processes):
    nodes = tuple(
        RunningNode(f"node-{number}", f"http://127.0.0.1:{9199 + number}", process, Path(f"/logs/{number}"))
        for number, process in enumerate(processes, 1)
    )
    return State("opensearch", "3.6.0", ml_commons=False, nodes=nodes, data=Path("/data"))


def test_state_round_trips(tmp_path):
    state = state_of(this_process(), ProcessId(1, "boot/1"))
    write_state(tmp_path, state)
    assert read_state(tmp_path, "opensearch") == state
    assert read_state(tmp_path, "elasticsearch") is None
    assert state.as_json()["url"] == "http://127.0.0.1:9200"


def test_forgotten_twice_is_forgotten(tmp_path):
    write_state(tmp_path, state_of(this_process()))
    forget(tmp_path, "opensearch")
    forget(tmp_path, "opensearch")
    assert read_state(tmp_path, "opensearch") is None


def test_a_cluster_runs_while_all_of_its_nodes_do():
    here = this_process()
    assert state_of(here, here).is_running
    assert not state_of(here, ProcessId(here.pid, "an earlier process/1")).is_running


def _hold(folder, ready, release):
    with locked(folder, "opensearch"):
        ready.set()
        release.wait()


def test_two_programs_do_not_start_one_server_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, ready, release))
    other.start()
    ready.wait()
    with (tmp_path / "opensearch.lock").open("w") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    release.set()
    other.join()
    with locked(tmp_path, "opensearch"):
        pass


def test_run_folders_are_deleted_and_abandoned_ones_by_the_next(tmp_path):
    with subprocess.Popen(["true"]) as process:
        owner = process_id(process.pid) or ProcessId(process.pid, "over/0")
    abandoned = tmp_path / "abandoned"
    abandoned.mkdir()
    (abandoned / "owner").write_text(f"{owner.pid} {owner.started}\n")
    with run_folder(tmp_path, this_process()) as mine:
        assert not abandoned.exists()
        with run_folder(tmp_path, this_process()) as another:
            assert mine.exists()
            assert another != mine
    assert list(tmp_path.iterdir()) == []


def test_ports_are_free_and_different():
    ports = free_ports(6)
    assert len(set(ports)) == 6


def test_a_cluster_gets_the_port_it_was_asked_to_have(tmp_path):
    cluster = plan("c", tmp_path, nodes=3, heap_mb=512, port=9200)
    assert cluster.nodes[0].url == "http://127.0.0.1:9200"
    assert cluster.seed_hosts == [f"127.0.0.1:{node.transport_port}" for node in cluster.nodes]
    assert len({node.folder for node in cluster.nodes}) == 3


def test_servers_and_data_go_where_the_setting_says(tmp_path):
    folders = find_folders(None, {"XDG_CACHE_HOME": f"{tmp_path}/cache", "HYBRIDRANK_ENGINES": f"{tmp_path}/engines"})
    assert folders.artifacts == tmp_path / "cache" / "hybridrank" / "artifacts"
    assert folders.homes == tmp_path / "engines" / "homes"
    assert folders.homes.is_dir()


def test_without_the_setting_they_are_in_the_cache(tmp_path):
    folders = find_folders(None, {"XDG_CACHE_HOME": str(tmp_path)})
    assert folders.engines == tmp_path / "hybridrank" / "engines"


def test_a_folder_the_servers_account_cannot_reach_is_refused(tmp_path):
    (tmp_path / "home").mkdir(mode=0o700)
    stranger = Account("stranger", uid=os.getuid() + 54321, gid=54321)
    environ = {"XDG_CACHE_HOME": str(tmp_path), "HYBRIDRANK_ENGINES": f"{tmp_path}/home/engines"}
    with pytest.raises(LocalEngineError, match="cannot be read by the user stranger"):
        find_folders(stranger, environ)


def test_a_folder_that_was_there_keeps_its_mode(tmp_path):
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines").chmod(0o1777)
    folders = find_folders(None, {"XDG_CACHE_HOME": str(tmp_path), "HYBRIDRANK_ENGINES": f"{tmp_path}/engines"})
    assert stat.S_IMODE(folders.engines.stat().st_mode) == 0o1777
    assert stat.S_IMODE(folders.homes.stat().st_mode) == 0o755


def test_a_link_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "engines").symlink_to(tmp_path / "elsewhere")
    environ = {"XDG_CACHE_HOME": str(tmp_path), "HYBRIDRANK_ENGINES": f"{tmp_path}/engines"}
    with pytest.raises(LocalEngineError, match="belongs to another user"):
        find_folders(None, environ)


def test_root_runs_servers_as_another_user_others_as_themselves():
    if os.geteuid() == 0:
        assert server_account({}).name == "nobody"
        with pytest.raises(LocalEngineError, match="which the servers refuse"):
            server_account({"HYBRIDRANK_ENGINE_USER": "root"})
        with pytest.raises(LocalEngineError, match="no user 'nobody-of-that-name'"):
            server_account({"HYBRIDRANK_ENGINE_USER": "nobody-of-that-name"})
    else:
        assert server_account({}) is None
