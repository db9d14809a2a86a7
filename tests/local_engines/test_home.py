"""The home folder of a server: complete, readable by the account that runs it, and made once."""

import hashlib
import io
import stat
import zipfile
from pathlib import Path

import pytest

from hybridrank.local_engines import home as homes
from hybridrank.local_engines.artifacts import Artifact
from hybridrank.local_engines.folders import find_folders
from hybridrank.local_engines.jdk import Jdk

NO_JDK = Jdk(Path("/nowhere"), 21)


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


CONTENTS = {
    "org.example:core:1.0:jar": ("lib", b"core"),
    "org.example:plugin:1.0:zip": (
        "plugins/plugin",
        zipped({"plugin-descriptor.properties": "name=plugin", "a/b": "c"}),
    ),
    "org.example:large:1.0:jar": ("lib", b"large"),
}


class Toy:
    """A server of two files and one descriptor; `large` belongs to a part nobody asks for."""

    name = "toy"
    version = "1.0"
    parts = frozenset({"node"})

    def __init__(self, descriptor="name=toy"):
        self.written_files = {"modules/toy/plugin-descriptor.properties": descriptor}
        self.compiled = []

    def compile(self, jdk, home):
        self.compiled.append(home)


@pytest.fixture
def folders(tmp_path):
    return find_folders(None, {"XDG_CACHE_HOME": str(tmp_path)})


@pytest.fixture
def artifacts(folders):
    """Artifacts as the lock file pins them, already in the cache, where a private umask put them."""
    pinned = []
    for coordinates, (folder, content) in CONTENTS.items():
        part = "large" if "large" in coordinates else "node"
        artifact = Artifact(coordinates, folder, hashlib.sha256(content).hexdigest(), len(content), part)
        artifact.path_in(folders.artifacts).parent.mkdir(exist_ok=True)
        artifact.path_in(folders.artifacts).write_bytes(content)
        artifact.path_in(folders.artifacts).chmod(0o600)
        pinned.append(artifact)
    return tuple(pinned)


def files_of(home):
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_jars_are_linked_zips_unpacked_and_descriptors_written(folders, artifacts):
    home = homes.ready_home(Toy(), NO_JDK, folders, artifacts=artifacts)
    assert files_of(home) == {
        "lib/core-1.0.jar": b"core",
        "plugins/plugin/plugin-descriptor.properties": b"name=plugin",
        "plugins/plugin/a/b": b"c",
        "modules/toy/plugin-descriptor.properties": b"name=toy",
    }
    assert (home / "bin").is_dir()
    for path in (home, *home.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path


def test_the_second_time_it_is_only_found(folders, artifacts):
    first, second = Toy(), Toy()
    home = homes.ready_home(first, NO_JDK, folders, artifacts=artifacts)
    for artifact in artifacts:
        artifact.path_in(folders.artifacts).unlink()
    assert homes.ready_home(second, NO_JDK, folders, artifacts=artifacts) == home
    assert (len(first.compiled), second.compiled) == (1, [])


def test_another_descriptor_makes_another_home(folders, artifacts):
    one = homes.ready_home(Toy(), NO_JDK, folders, artifacts=artifacts)
    other = homes.ready_home(Toy("name=other"), NO_JDK, folders, artifacts=artifacts)
    assert one != other


def test_a_failed_installation_leaves_nothing(folders, artifacts):
    class Broken(Toy):
        def compile(self, jdk, home):
            raise RuntimeError("no compiler")

    with pytest.raises(RuntimeError, match="no compiler"):
        homes.ready_home(Broken(), NO_JDK, folders, artifacts=artifacts)
    assert list(folders.homes.iterdir()) == []
