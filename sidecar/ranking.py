"""Raw scores as a caller wants to see them: squashed or not, best first, trimmed. Pure."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sidecar.types import RelevanceScore, RerankRequest, ScoreType

__all__ = ["ranked", "sigmoid"]


def ranked(request: RerankRequest, scored: Sequence[RelevanceScore]) -> tuple[RelevanceScore, ...]:
    """Of raw scores in the order of the request, which equal ones keep, those the request asks for."""
    raw = np.array([each.relevance_score for each in scored], dtype=np.float64)
    order = np.argsort(-raw, kind="stable")
    best_first = [scored[place] for place in order]
    if request.score_type is ScoreType.SIGMOID:
        squashed = sigmoid(raw[order]).tolist()
        best_first = [replace(each, relevance_score=score) for each, score in zip(best_first, squashed, strict=True)]
    least = -math.inf if request.min_score is None else request.min_score
    return tuple(each for each in best_first if each.relevance_score >= least)[: request.top_k or None]


def sigmoid(raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-raw)), written so that no exponential overflows."""
    return np.asarray(0.5 * (1 + np.tanh(raw / 2)))
