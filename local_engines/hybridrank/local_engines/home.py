"""Put a server's home folder together from cached artifacts: once for each version, shared by all of its nodes."""

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from hybridrank.local_engines.artifacts import Artifact, fetch
from hybridrank.local_engines.distribution import Distribution
from hybridrank.local_engines.folders import Folders
from hybridrank.local_engines.jdk import Jdk

__all__ = ["ready_home"]

# Folders that the servers would make if they were missing, which they may not.
_EXPECTED = ("bin", "config", "lib", "modules", "plugins")


def ready_home(
    distribution: Distribution,
    jdk: Jdk,
    folders: Folders,
    *,
    artifacts: Sequence[Artifact],
    console: Console | None = None,
) -> Path:
    """Return the home folder of `distribution`, downloaded and assembled if this is the first time.

    `artifacts` are those of the lock file; what belongs to a part that is not wanted is left out. The folder's name
    ends in a digest of everything in it, so a changed lock file or descriptor makes a new one. It is built beside its
    place and renamed, so it is there complete or not at all.
    """
    artifacts = [each for each in artifacts if each.part in distribution.parts]
    home = folders.homes / f"{distribution.name}-{distribution.version}-{_digest(distribution, artifacts)}"
    if home.is_dir():
        return home
    fetch(artifacts, folders.artifacts, console=console)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=folders.homes))
    try:
        _fill(building, distribution, artifacts, folders.artifacts)
        distribution.compile(jdk, building)
        _let_everyone_read(building)
        try:
            building.rename(home)
        except OSError:
            if not home.is_dir():  # otherwise another process was quicker, and made the same
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return home


def _digest(distribution: Distribution, artifacts: Sequence[Artifact]) -> str:
    digest = hashlib.sha256(" ".join(_EXPECTED).encode())
    for artifact in artifacts:
        digest.update(f"{artifact.folder} {artifact.file_name} {artifact.sha256}\n".encode())
    for path, text in sorted(distribution.written_files.items()):
        digest.update(f"{path}\n{text}\n".encode())
    return digest.hexdigest()[:12]


def _fill(home: Path, distribution: Distribution, artifacts: Sequence[Artifact], cache: Path) -> None:
    for name in _EXPECTED:
        (home / name).mkdir()
    for artifact in artifacts:
        folder = home / artifact.folder
        folder.mkdir(parents=True, exist_ok=True)
        if artifact.file_name.endswith(".zip"):
            with zipfile.ZipFile(artifact.path_in(cache)) as archive:
                archive.extractall(folder)  # its SHA-256 is pinned, so its paths are known
        else:
            _link_or_copy(artifact.path_in(cache), folder / artifact.file_name)
    for path, text in distribution.written_files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, "utf-8")


def _link_or_copy(source: Path, target: Path) -> None:
    """Share the bytes where both folders are on one disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _let_everyone_read(home: Path) -> None:
    """The servers may run as another user, whatever our umask is."""
    home.chmod(0o755)
    for path in home.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
