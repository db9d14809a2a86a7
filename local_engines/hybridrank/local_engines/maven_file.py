"""One file of a Maven repository by its coordinates, such as a jar that holds a model; checked by its SHA-256."""

import re
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from hybridrank.common.cache_folder import cache_folder
from hybridrank.local_engines.artifacts import Artifact, fetch

__all__ = ["fetch_file", "is_coordinates"]

COORDINATES = re.compile(r"\w[\w.-]*:\w[\w.-]*:\w[\w.-]*(:\w+)?")  # group:name:version, then the packaging if no jar


def is_coordinates(text: str) -> bool:
    """Returns whether it reads as group:name:version or group:name:version:packaging.

    >>> is_coordinates("org.example:model:1.0"), is_coordinates("./model.jar")
    (True, False)
    """
    return COORDINATES.fullmatch(text) is not None


def fetch_file(
    coordinates: str,
    sha256: str,
    *,
    cache: Path | None = None,
    console: Console | None = None,
    remote_repos: Mapping[str, str] | None = None,
) -> Path:
    """Returns the path of the file in the cache, downloaded if it is not there; raises as `fetch` does."""
    cache = cache or cache_folder() / "artifacts"
    cache.mkdir(parents=True, exist_ok=True)
    whole = coordinates if coordinates.count(":") == 3 else f"{coordinates}:jar"
    artifact = Artifact(whole, "", sha256.lower(), None)
    fetch([artifact], cache, console=console, remote_repos=remote_repos)
    return artifact.path_in(cache)
