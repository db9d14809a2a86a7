"""Queries that a server does not know, remembered, so that not every search sends them in vain."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hybridrank.connector.errors import EngineError

__all__ = ["Refusals"]

_KEPT_S = 300.0  # a server may get the plugin, or become another version
_STATUS = 400
_UNKNOWN = "unknown query ["  # both servers say this of a name that none of their modules has


@dataclass
class Refusals:
    """The refusal of each retriever in each index, for a few minutes. `now` is in seconds.

    >>> refusals = Refusals()
    >>> refusals.remember("docs", "sparse", EngineError("unknown query [sparse_vector]", status=400))
    >>> refusals.of("docs", "sparse"), refusals.of("docs", "bm25")
    (EngineError('unknown query [sparse_vector]'), None)
    """

    now: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, str], tuple[float, str, str]] = field(default_factory=dict)  # since, message, reason

    def remember(self, index: str, retriever: str, error: EngineError) -> None:
        """Keeps an error that says that the server does not know the query at all, whatever is in it."""
        if error.status == _STATUS and _UNKNOWN in str(error):
            self._known[index, retriever] = self.now(), str(error), error.reason

    def of(self, index: str, retriever: str) -> EngineError | None:
        """Returns the refusal, a new error each time; None if there is none or it is old."""
        if (index, retriever) not in self._known:
            return None
        since, message, reason = self._known[index, retriever]
        return EngineError(message, status=_STATUS, reason=reason) if self.now() - since < _KEPT_S else None
