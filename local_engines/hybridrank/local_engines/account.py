"""The account that runs the servers: both refuse root, so root runs them as another user."""

import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hybridrank.local_engines.errors import LocalEngineError

__all__ = ["Account", "server_account"]

ACCOUNT_SETTING = "HYBRIDRANK_ENGINE_USER"


@dataclass(frozen=True)
class Account:
    """A user of this machine other than the current one."""

    name: str
    uid: int
    gid: int

    def own(self, folder: Path) -> None:
        """Gives `folder` and its content to this account."""
        os.chown(folder, self.uid, self.gid)
        for path in folder.rglob("*"):
            os.chown(path, self.uid, self.gid)

    def can_read(self, path: Path) -> bool:
        """True if every folder on the path can be entered and `path` read, by mode bits for owner and others."""
        resolved = path.resolve()
        return self._may(resolved, read=True) and all(self._may(parent, read=False) for parent in resolved.parents)

    def _may(self, path: Path, *, read: bool) -> bool:
        status = path.stat()
        owner_bit, others_bit = (stat.S_IRUSR, stat.S_IROTH) if read else (stat.S_IXUSR, stat.S_IXOTH)
        return bool(status.st_mode & (owner_bit if status.st_uid == self.uid else others_bit))


def server_account(environ: Mapping[str, str] = os.environ) -> Account | None:
    """Returns the servers' account if we are root (HYBRIDRANK_ENGINE_USER, else `nobody`), None if not."""
    if os.geteuid() != 0:
        return None
    name = environ.get(ACCOUNT_SETTING, "nobody")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise LocalEngineError(
            f"there is no user {name!r} to run the server as (it refuses root): set {ACCOUNT_SETTING} to one"
        ) from None
    if entry.pw_uid == 0:
        raise LocalEngineError(f"{ACCOUNT_SETTING}={name} is root, which the servers refuse: name another user")
    return Account(name, entry.pw_uid, entry.pw_gid)
