"""Models of a running sidecar, listed and changed from the command line and by its folders."""

import json
import shutil
import subprocess
import sys
import time

import pytest

from hybridrank.model_files import model_folder
from hybridrank.sidecar.child import sidecar_process
from tests.golden.sidecar import FOLDER


def write(root, version):
    incoming = shutil.copytree(FOLDER / "tiny-encoder", root / f".incoming-{version}")
    model_folder.write(incoming, model_folder.read(incoming).toml.model_copy(update={"version": version}))
    return incoming.rename(root / version)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "tiny-encoder"
    root.mkdir()
    write(root, "1")
    return root


@pytest.fixture
def address(root):
    settings = {"models": str(root.parent), "model_control": "true", "watch_models_s": "0.1"}
    with sidecar_process(settings=settings) as sidecar:
        yield sidecar.address


def run(*arguments, expect=0):
    command = [sys.executable, "-m", "hybridrank", "model", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def serving(address):
    found = json.loads(run("list", "--sidecar", address, "--json").stdout)["serves"]
    return [(each["name"], each["version"]) for each in found]


def test_a_folder_that_appears_is_served(root, address):
    write(root, "2")
    ends_at = time.monotonic() + 30
    while serving(address) != [("tiny-encoder", "2")]:
        assert time.monotonic() < ends_at


def test_back_to_an_older_version_and_out(root, address):
    new = write(root, "0.9")  # older than what serves: the watch leaves it alone
    done = run("load", str(new), "--sidecar", address, "--json")
    assert json.loads(done.stdout)["loaded"][0]["version"] == "0.9"
    assert serving(address) == [("tiny-encoder", "0.9")]
    assert "tiny-encoder" in run("unload", "tiny-encoder", "--sidecar", address).stdout
    assert serving(address) == []


def test_a_refusal_says_why_and_a_dead_address_blocks_no_other(address):
    refused = run("load", "/etc", "--sidecar", address, expect=1)
    assert "is no folder at or below" in refused.stderr
    listed = run("list", "--sidecar", f"127.0.0.1:1,{address}", expect=1)
    assert "tiny-encoder" in listed.stdout
    assert "127.0.0.1:1" in listed.stderr
