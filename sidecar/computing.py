"""From texts to rows of numbers: out of the cache, or admitted, tokenised and computed in batches."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import numpy as np

from sidecar.batching.queue import estimate_tokens
from sidecar.batching.worker import Worker
from sidecar.cache import Row, RowCache
from sidecar.errors import BadScore
from sidecar.types import Timings
from sidecar.work import FloatArray, Input, Work

ALONE = 1  # a token budget that no two texts share


class Computer:
    """Computes a row for each text that is not in the cache, on a worker's threads."""

    def __init__(self, worker: Worker, cache: RowCache, *, max_batch_tokens: int) -> None:
        self._worker = worker
        self._cache = cache
        self._max_batch_tokens = max_batch_tokens

    async def rows(self, work: Work[Input]) -> tuple[dict[bytes, Row], Timings]:
        """A row for each different key; with `best_effort`, for those that are ready when the deadline nears."""
        wanted = dict(zip(work.keys, work.texts, strict=True))
        known = () if work.no_cache else wanted
        rows = {key: row for key in known if (row := self._cache.get(key)) is not None}
        missing = {key: text for key, text in wanted.items() if key not in rows}
        if not missing:
            return rows, Timings(0.0, 0.0, 0.0)
        computed, timings = await self._compute(work, missing)
        for key, row in computed.items():
            if not np.isfinite(row.values).all():
                raise BadScore(work.model.name, f"{work.field}[{work.keys.index(key)}]")
        for key, row in computed.items():
            if work.keep and not work.no_cache:
                self._cache.put(key, row)
        return rows | computed, timings

    async def _compute(self, work: Work[Input], wanted: Mapping[bytes, str]) -> tuple[dict[bytes, Row], Timings]:
        texts = list(wanted.values())
        estimate = estimate_tokens(texts, work.max_windows * work.model.max_tokens, work.query)
        admit = self._worker.admissions.admit
        started_at = time.monotonic()
        with admit(estimate, model=work.model.name, deadline=work.deadline, best_effort=work.best_effort) as admission:
            windows = dict(zip(wanted, await asyncio.to_thread(work.windows, texts), strict=True))
            inputs = {(key, number): each for key, found in windows.items() for number, each in enumerate(found)}
            tokenize_ms = 1000 * (time.monotonic() - started_at)
            budget = self._max_batch_tokens if work.batches else ALONE
            computed = await self._worker.run(admission, inputs, work.compute, max_batch_tokens=budget)
        rows = {}
        for key, found in windows.items():
            values = [computed.rows[key, number] for number in range(len(found)) if (key, number) in computed.rows]
            if len(values) == len(found):
                rows[key] = _row(work, found, np.stack(values))
        return rows, Timings(tokenize_ms, computed.queue_ms, computed.compute_ms)


def _row(work: Work[Input], windows: Sequence[Input], values: FloatArray) -> Row:
    """One row of those of a text's windows, (windows,) scores or (1, dimensions)."""
    best = int(np.argmax(values)) if len(windows) > 1 else 0
    tokens = sum(map(len, windows))
    best_chunk = best if work.max_windows > 1 else None
    return Row(np.asarray(work.together(values)), windows[best].truncated, tokens, best_chunk)
