"""The jars and zips a server consists of: pinned in a lock file by SHA-256, downloaded in parallel, kept in a cache.

Addresses come from jgo, which knows the address of Maven Central; neither the code nor the lock file contains one.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hybridrank.common.counts import counted
from hybridrank.local_engines.errors import ChecksumMismatch, DownloadFailed
from hybridrank.local_engines.progress import download_bar, stderr_console

__all__ = ["LOCK_FILE", "Artifact", "fetch", "load_lock", "sha256_of"]

LOCK_FILE = Path(__file__).with_name("artifacts.lock.json")
MAX_BYTES = 4 << 30  # of one file
AT_ONCE = 8  # the repository serves small files: more connections gain nothing
ATTEMPTS = 3
TIMEOUT_S = 30  # for one read; a connection that is silent for longer is closed
PAUSE_S = 0.5  # doubles with each attempt


@dataclass(frozen=True)
class Artifact:
    """One file of a server: `group:name:version:packaging`, its place in the home folder, and its SHA-256.

    `part` says which nodes need it: "node" means every node, "ml-commons" a node with that plugin. `size` is in bytes;
    None if only its SHA-256 is known.
    """

    coordinates: str
    folder: str
    sha256: str
    size: int | None
    part: str = "node"

    @property
    def file_name(self) -> str:
        """Name of the file in the repository."""
        _, name, version, packaging = self.coordinates.split(":")
        return f"{name}-{version}.{packaging}"

    def path_in(self, cache: Path) -> Path:
        """Returns its path in the cache, separate from files of the same name in another group."""
        return cache / self.coordinates.split(":")[0] / self.file_name


def load_lock(path: Path = LOCK_FILE) -> dict[str, tuple[Artifact, ...]]:
    """Returns the artifacts of each server, in the order of the lock file."""
    lock = json.loads(path.read_text("utf-8"))
    return {server: tuple(Artifact(**entry) for entry in entries) for server, entries in lock.items()}


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file as 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fetch(
    artifacts: Sequence[Artifact],
    cache: Path,
    *,
    console: Console | None = None,
    remote_repos: Mapping[str, str] | None = None,
) -> None:
    """Downloads every artifact into `cache`, each complete and with its SHA-256.

    Valid files are kept, so an interrupted call continues where it stopped, and a call after a finished one needs no
    network. Raises DownloadFailed or ChecksumMismatch. `remote_repos` (name → address) defaults to Maven Central.
    """
    missing = [artifact for artifact in artifacts if not _is_cached(artifact, cache)]
    if not missing:
        return
    sizes = [artifact.size for artifact in missing if artifact.size is not None]
    total = sum(sizes) if len(sizes) == len(missing) else None
    with (
        download_bar(f"downloading {counted(len(missing), 'file')}", total, console or stderr_console()) as add,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        # Largest first, so that the one big file does not start last.
        queue = sorted(missing, key=lambda artifact: -(artifact.size or 0))
        jobs = [pool.submit(_download, artifact, cache, add, remote_repos) for artifact in queue]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _is_cached(artifact: Artifact, cache: Path) -> bool:
    path = artifact.path_in(cache)
    is_whole = path.is_file() and artifact.size in (None, path.stat().st_size)
    return is_whole and sha256_of(path) == artifact.sha256


def _download(
    artifact: Artifact, cache: Path, add: Callable[[int], None], remote_repos: Mapping[str, str] | None
) -> None:
    """Downloads to a folder beside the final place, checks, then renames: the cache never contains a partial file."""
    target = artifact.path_in(cache)
    target.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=cache) as incoming:
            try:
                file = _resolve(artifact, Path(incoming), add, remote_repos)
            except (RuntimeError, OSError) as error:
                if attempt + 1 < ATTEMPTS:
                    time.sleep(PAUSE_S * 2**attempt)
                    continue
                raise DownloadFailed(
                    f"could not download {artifact.coordinates}: {error}. Check the network (HTTPS_PROXY is "
                    "respected) and run the command again: finished files are kept."
                ) from error
            found = sha256_of(file)
            if found != artifact.sha256:
                raise ChecksumMismatch(
                    f"{artifact.coordinates} arrived with SHA-256 {found}, expected was {artifact.sha256}: the "
                    "file was removed. A proxy that rewrites downloads does this; so does a file changed upstream."
                )
            file.chmod(0o644)
            file.replace(target)
            return


def _resolve(
    artifact: Artifact, repo_cache: Path, add: Callable[[int], None], remote_repos: Mapping[str, str] | None
) -> Path:
    from jgo.maven import MavenContext, PythonResolver  # from the engines extra; an installed server needs none of it

    @contextmanager
    def progress(file_name: str, size: int) -> Iterator[Callable[[int], None]]:
        if size > MAX_BYTES:
            raise DownloadFailed(f"{file_name} has {size:,} bytes; the limit is {MAX_BYTES:,}")
        yield add

    group, name, version, packaging = artifact.coordinates.split(":")
    context = MavenContext(
        resolver=PythonResolver(progress_callback=progress),
        repo_cache=repo_cache,
        remote_repos=dict(remote_repos) if remote_repos is not None else None,
        timeout=TIMEOUT_S,
    )
    found: Path = context.project(group, name).at_version(version).artifact(packaging=packaging).resolve()
    return found
