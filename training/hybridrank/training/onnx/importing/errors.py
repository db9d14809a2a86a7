"""The error of an import."""

from hybridrank.common.errors import HybridrankError

__all__ = ["ImportRefused"]


class ImportRefused(HybridrankError):
    """The source cannot be served as it is; the message says what is wrong and what to do."""
