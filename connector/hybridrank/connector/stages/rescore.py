"""Rescore: a reranker of the sidecar scores the texts of the head of the ranking."""

from collections.abc import Sequence
from functools import partial

from pydantic import Field

from hybridrank.connector.errors import EngineError, InvalidRequest, SidecarError
from hybridrank.connector.faults import Reason
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.passages import DEFAULT_FIELDS
from hybridrank.connector.stages.base import RescoringStage, StageContext, StageResult
from hybridrank.connector.stages.texts import passages, text_faults, text_fields
from hybridrank.connector.stages.token_vectors import with_token_vectors
from hybridrank.connector.types import DEFAULT_CHUNKS, DEFAULT_WEIGHT, MAX_CHUNKS, RelevanceScore

__all__ = ["Rescore"]


class Rescore(RescoringStage):
    """Text stage: a reranker of the sidecar scores the head of the ranking.

    `weight` blends: the final score is weight · z(rerank) + (1 − weight) · z(score before) over the window, so 1 is the
    rerank score alone. By default it is the `blend_weight` that the model's folder recommends, or else one half, which
    gives both equal influence (docs/training.md). `timeout_s` is the additional time of the stage after retrieval; when
    it has passed, the candidates scored so far come first and the others below them in fused order, or, without
    `allow_partial`, all are returned in fused order. `degraded` reports it.

    `fields` are the fields of a document that it reads, in order: by default the searched fields of the request, else
    those that the index was created with: `title`, `text`, then others by their boosts.

    A text longer than the model's input is read in up to `max_chunks` windows, and the best one counts: first one
    window of every candidate, then second ones in the remaining `timeout_s`, and so on. 1 reads only the beginning.
    `hit.scored_chunks` is the number of windows read. Of stored token vectors `max_chunks` windows count, at most four.

    A late-interaction model scores stored token vectors, if the index notes some of it and the stage reads title and
    text: this needs one more request to the engine, for the window alone, and only the query is encoded. If a candidate
    has none, or they cannot be read, texts are scored, and `degraded` says so. With `token_vectors` they are required,
    also without a note; with False texts are scored.
    """

    model: str = Field(min_length=1)
    weight: float | None = Field(None, gt=0, le=1)
    allow_partial: bool = True
    fields: tuple[str, ...] = ()
    max_chunks: int = Field(DEFAULT_CHUNKS, ge=1, le=MAX_CHUNKS)
    token_vectors: bool | None = None

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.model

    async def run(self, context: StageContext) -> StageResult:
        """Scores the texts, or the stored token vectors. Raises SidecarError, EngineError and SidecarMissing."""
        scores = await self._scores(context)
        if not scores:
            return StageResult()
        context.record_unscored(scores)
        return StageResult(scores, weight=self.weight or await self._recommended(context))

    async def _recommended(self, context: StageContext) -> float:
        """Returns the weight that the model's folder recommends. A SidecarClient knows it from the reply."""
        try:
            described = await context.sidecar.model(self.model, timeout_s=context.left_s)
        except SidecarError as error:
            context.failed(error, instead="blended half and half")
            return DEFAULT_WEIGHT
        return described.blend_weight or DEFAULT_WEIGHT

    async def _scores(self, context: StageContext) -> tuple[RelevanceScore | None, ...]:
        """Scores stored token vectors if they are wanted; texts otherwise, or if that fails."""
        rescore = partial(
            context.sidecar.rescore,
            context.query.text,
            model=self.model,
            allow_partial=self.allow_partial,
            max_chunks=self.max_chunks,
        )
        fields = await context.search.budget.bound(context.engine.fields_of(context.index))
        named = self.fields or tuple(context.fields)
        paths = text_fields(named, fields)
        texts = passages(context.hits, paths)
        if await self._wants_stored(context, fields, paths):
            try:
                stored = await with_token_vectors(context.engine, context.index, texts, context.left_s)
                return await rescore(stored, timeout_s=context.left_s)
            except (EngineError, InvalidRequest) as error:
                if self.token_vectors:
                    context.failed(error, reason=Reason.TOKEN_VECTORS, instead="scored by texts")
                else:
                    context.record(Reason.TOKEN_VECTORS, f"scored by texts: {error}")
        for reason, sentence in text_faults(named, context.index, fields, context.hits, texts):
            context.record(reason, sentence)
        if not any(each.text for each in texts):
            return ()  # all would have the same score
        return await rescore(texts, timeout_s=context.left_s)

    async def _wants_stored(self, context: StageContext, fields: Fields, paths: Sequence[str]) -> bool:
        """True if stored token vectors are required, or if the index notes those of this model, of these texts."""
        noted = fields.token_vectors
        if self.token_vectors is not None or not noted or set(paths) != set(DEFAULT_FIELDS):
            return bool(self.token_vectors)
        return (await context.sidecar.model(self.model, timeout_s=context.left_s)).digest == noted.digest
