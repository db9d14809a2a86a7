"""Blending: normalised relevance scores and fused scores give the final order of the window. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum, sqrt

from hybridrank.connector.types import Hit, RelevanceScore

__all__ = ["blend", "z_scores"]


def blend(
    hits: Sequence[Hit], scores: Sequence[RelevanceScore | None], weight: float, *, model: str
) -> tuple[Hit, ...]:
    """Reorders those of the first len(scores) `hits` that have a score; all others keep their order below them.

    The score inside the window is weight · z(rerank) + (1 − weight) · z(score before); at weight 1 it is the rerank
    score itself. Ties: the higher rerank score first, then the previous order. Below the window, where scores are on
    the scale of an earlier stage, the final score of the first hit is the lowest of the window, and the others keep
    their distances to it.
    """
    given = [*scores, *[None] * (len(hits) - len(scores))]
    window = [(hit, score) for hit, score in zip(hits, given, strict=True) if score]
    tail = [hit for hit, score in zip(hits, given, strict=True) if not score]
    if weight == 1:
        finals = [score.score for _, score in window]
    else:
        rerank_parts = z_scores([score.score for _, score in window])
        before_parts = z_scores([hit.score for hit, _ in window])
        finals = [
            weight * mine + (1 - weight) * theirs for mine, theirs in zip(rerank_parts, before_parts, strict=True)
        ]
    rescored = [
        replace(
            hit,
            score=final,
            final_score=final,
            rerank_score=score.score,
            truncated=hit.truncated or score.truncated,
            rerank_scores={**hit.rerank_scores, model: score.score},
            best_chunk=score.best_chunk if score.scored_chunks else hit.best_chunk,
            scored_chunks=score.scored_chunks or hit.scored_chunks,
        )
        for (hit, score), final in zip(window, finals, strict=True)
    ]
    head = sorted(rescored, key=lambda hit: (-hit.score, -(hit.rerank_score or 0.0)))
    ordered = [*head, *_below(head, tail)]
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(ordered, start=1))


def _below(head: Sequence[Hit], tail: Sequence[Hit]) -> list[Hit]:
    """Shifts the final scores of the tail below those of the head; both are in order."""
    if not head or not tail:
        return [*tail]
    lowest, highest = head[-1].final_score, tail[0].final_score
    return [replace(hit, final_score=lowest - (highest - hit.final_score)) for hit in tail]


def z_scores(values: Sequence[float]) -> list[float]:
    """Returns (value − mean) / population standard deviation; all 0 if every value is the same.

    >>> z_scores([1.0, 3.0])
    [-1.0, 1.0]
    """
    if not values:
        return []
    mean = fsum(values) / len(values)
    deviation = sqrt(fsum((value - mean) ** 2 for value in values) / len(values))
    return [(value - mean) / deviation if deviation else 0.0 for value in values]
