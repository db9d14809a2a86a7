"""Errors of model folders."""

from pathlib import Path

from hybridrank.common.errors import HybridrankError

__all__ = ["BadModelFolder"]


class BadModelFolder(HybridrankError):
    """A model folder is incomplete, contradicts itself or was changed."""

    def __init__(self, folder: Path, problem: str) -> None:
        super().__init__(f"{folder}: {problem}")
        self.folder = folder
