"""Rescoring stages of a search, one after the other, each over the head that the previous one left."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from time import perf_counter
from typing import TypeAlias

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError, InvalidRequest, SidecarError, SidecarMissing
from hybridrank.connector.faults import Reason
from hybridrank.connector.request import FeatureRescore, QueryRescore, Rescore, SearchRequest, Stage
from hybridrank.connector.search_context import SearchContext
from hybridrank.connector.sidecar_client.base import Sidecar
from hybridrank.connector.stages.blend import blend
from hybridrank.connector.stages.feature_log import FeatureLog
from hybridrank.connector.stages.features import FeatureRows, feature_rows
from hybridrank.connector.stages.texts import passages, text_faults, text_fields
from hybridrank.connector.stages.token_vectors import with_token_vectors
from hybridrank.connector.types import Encoding, Hit, RelevanceScore
from hybridrank.ltr_features import FeatureQuery, FeatureSet

__all__ = ["Stages"]

Scores: TypeAlias = tuple[RelevanceScore | None, ...]

_LEAST_S = 0.001  # for scoring if the features took all the time: the sidecar then reports that no time was left


@dataclass(frozen=True, slots=True)
class Stages:
    """Resources of the stages. A failed stage is left out and is in `degraded`; the next one continues without it."""

    engine: Engine
    sidecar: Sidecar | None
    feature_log: FeatureLog | None = None

    async def run(
        self, request: SearchRequest, encoding: Encoding | None, hits: tuple[Hit, ...], search: SearchContext
    ) -> tuple[Hit, ...]:
        """Returns `hits` in the order of the stages. Raises SidecarMissing for a stage that needs a sidecar.

        A stage gets only hits that the previous one scored: below them, scores are on another scale.
        """
        vector, encoder = (encoding.vector, encoding.encoder) if encoding else (None, None)
        query = FeatureQuery(request.query_text, vector, now=datetime.now(timezone.utc), encoder=encoder)
        computed: list[FeatureRows] = []
        head = len(hits)
        for stage in request.stages if hits else ():
            window = hits[: min(head, stage.rescore_window_size)]
            timeout_s = search.limit_s(_name(request, stage), stage.timeout_s)
            if timeout_s is None:
                continue
            try:
                if isinstance(stage, Rescore):
                    scores = await self._by_text(stage, request, window, timeout_s, search)
                elif isinstance(stage, QueryRescore):
                    scores = await self._by_query(stage, request.index, query, window, timeout_s)
                else:
                    ends_at = perf_counter() + timeout_s
                    about = replace(query, request=stage.request)
                    rows = await feature_rows(self.engine, request.index, stage.feature_set, about, window, timeout_s)
                    computed.append(rows)
                    hits = _with_features(hits, rows) if stage.with_features else hits
                    scores = await self._by_features(stage, rows, ends_at - perf_counter())
            except (SidecarError, EngineError) as error:
                search.left_out.failed(_name(request, stage), error)
                continue
            if scores:
                scored = sum(each is not None for each in scores)
                if scored < len(scores):
                    detail = f"{scored} of {len(scores)} scored in time"
                    search.left_out.record(_name(request, stage), Reason.PARTIAL, detail)
                hits, head = blend(hits, scores, stage.weight, model=stage.model), scored
        if computed and self.feature_log:
            await self._log(self.feature_log, request, query, computed, hits, search)
        return hits

    async def _by_text(
        self, stage: Rescore, request: SearchRequest, window: Sequence[Hit], timeout_s: float, search: SearchContext
    ) -> Scores:
        """Scores stored token vectors if the stage requests it; texts otherwise, or if that fails."""
        rescore = partial(
            self._asked(stage).rescore,
            request.query_text,
            model=stage.model,
            allow_partial=stage.allow_partial,
            max_chunks=stage.max_chunks,
        )
        ends_at = perf_counter() + timeout_s
        fields = await search.budget.bound(self.engine.fields_of(request.index))
        texts = passages(window, text_fields(stage, request, fields))
        if stage.token_vectors:
            try:
                stored = await with_token_vectors(self.engine, request.index, texts, timeout_s)
                return await rescore(stored, timeout_s=max(ends_at - perf_counter(), _LEAST_S))
            except (EngineError, InvalidRequest) as error:
                search.left_out.failed(
                    _name(request, stage), error, reason=Reason.TOKEN_VECTORS, instead="scored by texts"
                )
                timeout_s = max(ends_at - perf_counter(), _LEAST_S)
        for reason, sentence in text_faults(stage, request, fields, window, texts):
            search.left_out.record(_name(request, stage), reason, sentence)
        if not any(each.text for each in texts):
            return ()  # all would have the same score
        return await rescore(texts, timeout_s=timeout_s)

    async def _by_query(
        self, stage: QueryRescore, index: str, query: FeatureQuery, window: Sequence[Hit], timeout_s: float
    ) -> Scores:
        feature_set = FeatureSet(name=stage.model, features=(stage.by,))
        rows = await feature_rows(self.engine, index, feature_set, query, window, timeout_s)
        scores = [0.0 if math.isnan(score) else score for (score,) in rows.values]
        if not all(map(math.isfinite, scores)):
            raise EngineError(f"index {index!r}: the engine's answer has infinite scores", reason="bad_answer")
        return tuple(map(RelevanceScore, scores))

    async def _by_features(self, stage: FeatureRescore, rows: FeatureRows, timeout_s: float) -> Scores:
        if not stage.model:
            return ()
        return await self._asked(stage).rescore_features(
            rows.values,
            feature_set_digest=stage.feature_set.digest,
            model=stage.model,
            timeout_s=max(timeout_s, _LEAST_S),
        )

    def _asked(self, stage: Stage) -> Sidecar:
        if self.sidecar is None:
            raise SidecarMissing("rescore", f"rescore by {stage.model!r} needs a sidecar")
        return self.sidecar

    @staticmethod
    async def _log(
        log: FeatureLog,
        request: SearchRequest,
        query: FeatureQuery,
        computed: Sequence[FeatureRows],
        hits: Sequence[Hit],
        search: SearchContext,
    ) -> None:
        try:
            await asyncio.to_thread(log.write, request, query, computed, hits)
        except OSError as error:
            search.left_out.record("feature_log", Reason.NOT_WRITTEN, f"{log.folder}: {error}")


def _name(request: SearchRequest, stage: Stage) -> str:
    return "rescore" if len(request.stages) == 1 else f"rescore:{stage.model or 'features'}"


def _with_features(hits: Sequence[Hit], rows: FeatureRows) -> tuple[Hit, ...]:
    named = rows.named()
    return tuple(replace(hit, features={**hit.features, **named.get(hit.key, {})}) for hit in hits)
