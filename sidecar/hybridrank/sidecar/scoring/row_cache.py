"""Cache of computed rows: scores and vectors by key, limited in bytes, least recently used dropped first."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

# Size of an entry besides the numbers themselves: key, row, array and their places in the table, as measured.
ENTRY_BYTES = 400


@dataclass(frozen=True, slots=True)
class Row:
    """A model's output for one window of a text: its score () or vector (dimensions,).

    `truncated` is True if the text continues after the window; `tokens` is the number of tokens that the model read.
    """

    values: npt.NDArray[np.floating[Any]]
    truncated: bool
    tokens: int


class RowCache:
    """Keeps rows in at most `max_bytes`; with 0 it keeps none. Use it from one thread.

    `hits` and `misses` count look-ups since the start; without a cache both are 0.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self.hits = 0
        self.misses = 0
        self._rows: OrderedDict[bytes, Row] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: bytes) -> Row | None:
        """Returns the row of a key, if still cached, and marks it as most recently used."""
        if not self.max_bytes:
            return None
        row = self._rows.get(key)
        if row is None:
            self.misses += 1
        else:
            self.hits += 1
            self._rows.move_to_end(key)
        return row

    def put(self, key: bytes, row: Row) -> None:
        """Stores a row, and drops the least recently used above the limit; a row above the limit is not stored."""
        if _size(row) > self.max_bytes:
            return
        old = self._rows.pop(key, None)
        self.used_bytes += _size(row) - (_size(old) if old else 0)
        # A copy, because a row is a view that would keep its whole batch in memory.
        self._rows[key] = replace(row, values=np.array(row.values))
        while self.used_bytes > self.max_bytes:
            _, oldest = self._rows.popitem(last=False)
            self.used_bytes -= _size(oldest)


def _size(row: Row) -> int:
    return ENTRY_BYTES + row.values.nbytes
