"""Folders on this machine for downloads, assembled servers, their data and their state."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hybridrank.local_engines.account import Account
from hybridrank.local_engines.errors import LocalEngineError

__all__ = ["Folders", "find_folders"]

ENGINES_SETTING = "HYBRIDRANK_ENGINES"
# Other users cannot enter root's home, and /tmp is emptied at boot; files that another account must read are here.
SHARED_ROOT = Path("/var/tmp/hybridrank-engines")  # noqa: S108


@dataclass(frozen=True)
class Folders:
    """Two roots: `artifacts` for the current user alone, and `engines`, which the account of the servers can reach."""

    artifacts: Path
    engines: Path

    @property
    def homes(self) -> Path:
        """Assembled servers, one folder per version, shared by all nodes, which never write to them."""
        return self.engines / "homes"

    @property
    def data(self) -> Path:
        """Indices of clusters started from the command line; they outlive the processes."""
        return self.engines / "data"

    @property
    def runs(self) -> Path:
        """Folders of clusters that end with the program that started them."""
        return self.engines / "runs"

    @property
    def state(self) -> Path:
        """One file for each cluster started from the command line."""
        return self.engines / "state"


def find_folders(account: Account | None, environ: Mapping[str, str] = os.environ) -> Folders:
    """Returns the folders and creates missing ones: in the user's cache, or in /var/tmp if `account` must reach them.

    HYBRIDRANK_ENGINES names another place for servers and data. A folder of another owner is refused, because the owner
    could replace the jars.
    """
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hybridrank"
    chosen = environ.get(ENGINES_SETTING)
    default = SHARED_ROOT if account else cache / "engines"
    folders = Folders(artifacts=cache / "artifacts", engines=Path(chosen) if chosen else default)
    folders.artifacts.mkdir(parents=True, exist_ok=True)
    for folder in (folders.engines, folders.homes, folders.data, folders.runs, folders.state):
        _make_readable(folder)
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            raise LocalEngineError(f"{folder} belongs to another user: set {ENGINES_SETTING} to a folder of your own")
    if account and not account.can_read(folders.engines):
        raise LocalEngineError(
            f"{folders.engines} cannot be read by the user {account.name}, who runs the server: "
            f"set {ENGINES_SETTING} to a folder that user can reach"
        )
    return folders


def _make_readable(folder: Path) -> None:
    """Creates a folder that everybody may enter, whatever our umask is; an existing one keeps its mode."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    folder.chmod(0o755)
