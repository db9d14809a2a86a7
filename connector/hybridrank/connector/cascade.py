"""Cascade of rescoring stages, one after the other, each over the head that the previous one left."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from time import perf_counter

from hybridrank.common.counts import counted
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import BadScores, EngineError, SidecarError
from hybridrank.connector.faults import Reason
from hybridrank.connector.request import SearchRequest
from hybridrank.connector.search_context import SearchContext
from hybridrank.connector.sidecar_client.base import Sidecar
from hybridrank.connector.stages import Stage, StageContext, StageResult
from hybridrank.connector.stages.blend import blend
from hybridrank.connector.stages.feature_log import FeatureLog
from hybridrank.connector.stages.features import FeatureRows
from hybridrank.connector.types import Encoding, Hit
from hybridrank.ltr_features import FeatureQuery

__all__ = ["Cascade"]

_MAX_SCORE = 1e150  # blending squares scores


@dataclass(frozen=True, slots=True)
class Cascade:
    """Runs the stages of a request. A failed stage is in `degraded`, and the next one continues without it."""

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
            result = await self._result(stage, window, request, query, search)
            if result.features:
                computed.append(result.features)
                hits = _with_features(hits, result.features) if result.with_features else hits
            if result.scores:
                hits = blend(hits, result.scores, result.weight, model=stage.name)
                head = sum(score is not None for score in result.scores)
        if computed and self.feature_log:
            await _log(self.feature_log, request, query, computed, hits, search)
        return hits

    async def _result(
        self, stage: Stage, window: tuple[Hit, ...], request: SearchRequest, query: FeatureQuery, search: SearchContext
    ) -> StageResult:
        """Returns the result of one stage, which is empty if it failed."""
        part = "rescore" if len(request.stages) == 1 else f"rescore:{stage.name}"
        timeout_s = search.limit_s(part, stage.timeout_s)
        if timeout_s is None:
            return StageResult()
        context = StageContext(
            part=part,
            name=stage.name,
            hits=window,
            index=request.index,
            fields=request.fields,
            query=query,
            engine=self.engine,
            search=search,
            timeout_s=timeout_s,
            ends_at=perf_counter() + timeout_s,
            connected_sidecar=self.sidecar,
        )
        try:
            result = await stage.run(context)
            _check_scores(result, len(window))
        except (SidecarError, EngineError) as error:
            context.failed(error)
            return StageResult()
        return result


def _check_scores(result: StageResult, count: int) -> None:
    """Raises BadScores for scores that cannot be blended: too few, too many, or not finite."""
    if result.scores and len(result.scores) != count:
        raise BadScores(f"{counted(len(result.scores), 'score')} for {counted(count, 'candidate')}")
    for each in result.scores:
        if each and not abs(each.score) <= _MAX_SCORE:  # NaN is not
            raise BadScores(f"a candidate scored {each.score}")


def _with_features(hits: Sequence[Hit], rows: FeatureRows) -> tuple[Hit, ...]:
    named = rows.named()
    return tuple(replace(hit, features={**hit.features, **named.get(hit.key, {})}) for hit in hits)


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
