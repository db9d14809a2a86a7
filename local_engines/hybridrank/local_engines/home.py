"""Assembles a server's home folder from cached artifacts: once per version, shared by all of its nodes."""

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

# Folders that the servers would create if missing, without permission to do so.
_EXPECTED = ("bin", "config", "lib", "modules", "plugins")


def ready_home(
    distribution: Distribution,
    jdk: Jdk,
    folders: Folders,
    *,
    artifacts: Sequence[Artifact],
    console: Console | None = None,
) -> Path:
    """Returns the home folder of `distribution`; the first call downloads and assembles it.

    `artifacts` come from the lock file; those of unwanted parts are left out. The folder's name ends in a digest of its
    whole content, so a changed lock file or descriptor gets a new folder. It is built beside its final place and then
    renamed, so it is never incomplete.
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
            if not home.is_dir():  # otherwise another process was faster and built the same folder
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
    """Links the file if both folders are on one disk, to share the bytes; otherwise copies it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _let_everyone_read(home: Path) -> None:
    """Makes the home readable for all: the servers may run as another user, whatever our umask is."""
    home.chmod(0o755)
    for path in home.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
