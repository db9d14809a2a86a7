"""Computes rows of numbers for texts: from the cache, or admitted, tokenised and computed in batches."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np

from hybridrank.sidecar.batching.admission import Admission
from hybridrank.sidecar.batching.queue import estimate_tokens
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.errors import BadScore
from hybridrank.sidecar.scoring.keys import window_key
from hybridrank.sidecar.scoring.row_cache import Row, RowCache
from hybridrank.sidecar.scoring.text_job import Input, Work
from hybridrank.sidecar.types import CallTimings

ALONE = 1  # a token budget that no two texts share
NO_TIME = CallTimings(0.0, 0.0, 0.0)


class Computer:
    """Computes a row for each window of a text that is not in the cache, on a worker's threads."""

    def __init__(self, worker: Worker, cache: RowCache, *, max_batch_tokens: int, max_texts: int | None = None) -> None:
        self._worker = worker
        self._cache = cache
        self._max_batch_tokens = max_batch_tokens
        self._max_texts = max_texts

    async def rows(self, work: Work[Input]) -> tuple[dict[bytes, Row], CallTimings]:
        """Returns a row for each wanted window of each different text, by `window_key`.

        With `best_effort`, only for windows that are ready shortly before the deadline. If the work is `optional`, only
        for windows with time and room left, the second windows of all texts before the third ones.
        """
        rows: dict[bytes, Row] = {}
        wanted = dict(zip(work.keys, work.texts, strict=True))
        missing: dict[bytes, str] = {key: text for key, text in wanted.items() if not self._look_up(work, key, rows)}
        if work.optional:
            work = self._within_room(work, [*missing.values()])
        if not missing or not work.wanted:
            return rows, NO_TIME
        computed, timings = await self._compute(work, missing, rows)
        for key, row in computed.items():
            if not np.isfinite(row.values).all():
                place = next(place for place, text_key in enumerate(work.keys) if key.startswith(text_key))
                raise BadScore(work.model.name, f"{work.field}[{place}]")
        for key, row in computed.items():
            if work.keep and not work.no_cache:
                self._cache.put(key, row)
        return rows | computed, timings

    def _look_up(self, work: Work[Input], key: bytes, rows: dict[bytes, Row]) -> bool:
        """Adds the cached rows of a text; returns True if it has no more wanted windows."""
        for number in work.wanted:
            row = None if work.no_cache else self._cache.get(window_key(key, number))
            if row is None:
                return False
            rows[window_key(key, number)] = row
            if not row.truncated:
                break
        return True

    def _within_room(self, work: Work[Input], texts: Sequence[str]) -> Work[Input]:
        """Limits the work to as many windows of each text as there is room for."""
        room = self._worker.admissions.room(
            work.model.max_tokens, model=work.pace_name, arrived_at=work.arrived_at, deadline=work.deadline
        )
        wanted = work.wanted
        while wanted and _estimate(work, texts, wanted) > room:
            wanted = wanted[:-1]
        return replace(work, wanted=wanted)

    async def _compute(
        self, work: Work[Input], texts: Mapping[bytes, str], known: Mapping[bytes, Row]
    ) -> tuple[dict[bytes, Row], CallTimings]:
        started_at = time.monotonic()
        with self._admit(work, _estimate(work, [*texts.values()], work.wanted)) as admission:
            windows = dict(zip(texts, await _tokenise(work, [*texts.values()], admission.ends_at), strict=True))
            keys = {window_key(key, number): (key, number) for number in work.wanted for key in texts}
            inputs = {
                each: windows[key][number]
                for each, (key, number) in keys.items()
                if number < len(windows[key]) and each not in known
            }
            tokenize_ms = 1000 * (time.monotonic() - started_at)
            budget = self._max_batch_tokens if work.batches else ALONE
            computed = await self._worker.run(
                admission, inputs, work.compute, max_batch_tokens=budget, max_texts=self._max_texts
            )
        rows = {}
        for each, values in computed.rows.items():
            key, number = keys[each]
            truncated = windows[key][number].truncated or number + 1 < len(windows[key])
            rows[each] = Row(np.asarray(values), truncated, len(inputs[each]))
        return rows, CallTimings(tokenize_ms, computed.queue_ms, computed.compute_ms)

    def _admit(self, work: Work[Input], estimate: int) -> AbstractContextManager[Admission]:
        admissions, model = self._worker.admissions, work.pace_name
        if work.optional:
            return admissions.admit_optional(estimate, model=model, arrived_at=work.arrived_at, deadline=work.deadline)
        return admissions.admit(estimate, model=model, deadline=work.deadline, best_effort=work.best_effort)


async def _tokenise(work: Work[Input], texts: Sequence[str], ends_at: float | None) -> list[list[Input]]:
    """Returns the windows of each text, up to the last wanted one; none for optional work without time left."""
    tokenising = asyncio.to_thread(work.windows, texts, work.wanted.stop)
    if not work.optional or ends_at is None:
        return await tokenising
    try:
        return await asyncio.wait_for(tokenising, max(0.0, ends_at - time.monotonic()))
    except asyncio.TimeoutError:
        return [[] for _ in texts]


def _estimate(work: Work[Input], texts: Sequence[str], windows: range) -> int:
    """Estimates the total tokens of the windows."""
    end, start = (estimate_tokens(texts, n * work.model.max_tokens, work.query) for n in (windows.stop, windows.start))
    return end - start
