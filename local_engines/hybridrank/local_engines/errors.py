"""Every error of this package.

LocalEngineError
├── JdkMissing         no Java on this machine is new enough (.seen lists the places that were checked)
├── DownloadFailed     an artifact could not be fetched
│   └── ChecksumMismatch
└── NodeFailed         a node ended or did not become ready (.log_tail holds the end of its log)
"""

from collections.abc import Sequence

from hybridrank.common.errors import HybridrankError

__all__ = ["ChecksumMismatch", "DownloadFailed", "JdkMissing", "LocalEngineError", "NodeFailed"]


class LocalEngineError(HybridrankError):
    """Base class of every error of this package."""


class JdkMissing(LocalEngineError):
    """No Java on this machine is new enough; `seen` names each place and why it was rejected."""

    def __init__(self, message: str, *, seen: Sequence[str]) -> None:
        super().__init__(message)
        self.seen = tuple(seen)


class DownloadFailed(LocalEngineError):
    """An artifact could not be fetched from the Maven repository."""


class ChecksumMismatch(DownloadFailed):
    """The SHA-256 of a downloaded file differs from the lock file; the file was removed."""


class NodeFailed(LocalEngineError):
    """A node ended or did not become ready in time; `log_tail` holds the last lines it wrote."""

    def __init__(self, message: str, *, log_tail: str) -> None:
        super().__init__(message)
        self.log_tail = log_tail
