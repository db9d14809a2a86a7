"""The folder of caches."""

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Returns `$XDG_CACHE_HOME/hybridrank`, or `~/.cache/hybridrank`; its content can always be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hybridrank"
