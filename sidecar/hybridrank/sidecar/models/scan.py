"""Finds model folders on disk with their names, without reading the models."""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Found", "newest_first", "scan"]


@dataclass(frozen=True)
class Found:
    """A folder with a model.toml, and the name, version and aliases in it.

    If it cannot be read, the name is the folder's: loading reports the error. `stamp` changes when a file is written;
    `place` is the number of its root.
    """

    path: Path
    name: str
    version: str
    stamp: tuple[tuple[str, int, int], ...]
    place: int = 0
    aliases: tuple[str, ...] = ()


def scan(roots: Iterable[Path]) -> tuple[Found, ...]:
    """Returns the model folders that are a root, in a root, or one deeper: `root/NAME/VERSION`; by root, then by path.

    Hidden folders are skipped, so `root/.incoming` is the place to copy to before renaming. Raises OSError for an
    unreadable root, which differs from an empty one.
    """
    return tuple(_found(folder, place) for place, root in enumerate(roots) for folder in _folders(root, depth=2))


def newest_first(found: Iterable[Found]) -> list[Found]:
    """Sorts by version, numeric parts as numbers; for equal versions the last root wins, so that yours replace ours.

    >>> [each.version for each in newest_first(Found(Path(), "a", v, ()) for v in ["9", "1.10-rc1", "1.10", "1.9"])]
    ['9', '1.10', '1.10-rc1', '1.9']
    """
    return sorted(found, key=lambda each: (_version_key(each.version), each.place), reverse=True)


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "model.toml").is_file():
        yield folder
    elif depth:
        for below in sorted(folder.iterdir()):
            if below.is_dir() and not below.name.startswith("."):
                yield from _folders(below, depth - 1)


def _found(folder: Path, place: int) -> Found:
    stats = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
    stamp = tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
    try:
        toml = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8-sig"))
    except ValueError:
        toml = {}
    aliases = tuple(map(str, toml.get("aliases", ())))
    return Found(folder, str(toml.get("name", folder.name)), str(toml.get("version", "")), stamp, place, aliases)


def _version_key(version: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|[^\d.]+", version)
    # A number continues a version; a word comes before the version without it: 1.10-rc1, 1.10, 1.10.1.
    return [*((2, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts), (1, 0, "")]
