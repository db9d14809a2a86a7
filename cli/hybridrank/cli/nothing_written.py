"""The error of a command that has nothing to write, so that a script stops."""

from hybridrank.common.errors import HybridrankError

__all__ = ["NothingWritten"]


class NothingWritten(HybridrankError):
    """There is nothing to write, and no file was touched; the message says why and what to do."""

    def __init__(self, why: str) -> None:
        super().__init__(f"nothing was written: {why}")
