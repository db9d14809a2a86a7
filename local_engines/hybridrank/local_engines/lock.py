"""Resolves the artifacts of each server and writes the lock file: `python -m hybridrank.local_engines.lock`.

Needs the network, downloads everything (about 600 MB), and is run by hand when a version changes.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jgo.maven import MavenContext

from hybridrank.local_engines import elasticsearch, opensearch
from hybridrank.local_engines.artifacts import LOCK_FILE, Artifact, sha256_of
from hybridrank.local_engines.distribution import Folder

__all__ = ["main", "resolve"]

SCOPES = ("compile", "runtime")


def resolve(folders: Sequence[Folder], context: Any) -> Iterator[Artifact]:
    """Yields the artifacts of each folder, sorted, without those of the folders beneath it. Downloads each of them."""
    held: dict[str, set[tuple[str, str]]] = {}
    for folder in folders:
        above = set().union(*(held.get(path, set()) for path in (*folder.beneath, folder.path)))
        wanted = {}
        for artifact in _of_folder(folder, context):
            name = (artifact.groupId, artifact.artifactId)
            if name not in above and artifact.artifactId not in folder.leave_out and not artifact.classifier:
                wanted[name] = artifact
        held.setdefault(folder.path, set()).update(wanted)
        for _, artifact in sorted(wanted.items()):
            file = artifact.resolve()
            coordinates = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}:{artifact.packaging}"
            print(folder.path, coordinates)
            yield Artifact(coordinates, folder.path, sha256_of(file), file.stat().st_size, folder.part)


def _of_folder(folder: Folder, context: Any) -> Iterator[Any]:
    for root in folder.roots:
        group, name, version, *packaging = root.split(":")
        yield context.project(group, name).at_version(version).artifact(packaging=packaging[0] if packaging else "jar")
        if folder.dependencies:
            # One root at a time: if resolved together, versions that one root manages would change those of another.
            _, transitive = context.resolver.resolve([context.create_dependency(root)])
            for dependency in transitive:
                if dependency.scope in SCOPES and not dependency.optional:
                    yield dependency.artifact


def main() -> None:
    """Writes the lock file."""
    with tempfile.TemporaryDirectory() as repo_cache:
        context = MavenContext(repo_cache=Path(repo_cache), timeout=60)
        lock = {
            server: [asdict(artifact) for artifact in resolve(folders, context)]
            for server, folders in (("opensearch", opensearch.FOLDERS), ("elasticsearch", elasticsearch.FOLDERS))
        }
    LOCK_FILE.write_text(json.dumps(lock, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
