"""Final scores for the caller: raw, sigmoid or calibrated, best first, trimmed. Pure."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hybridrank.model_files.calibration import Calibration, sigmoid
from hybridrank.sidecar.types import RelevanceScore, RerankRequest, ScoreType

__all__ = ["ranked"]


def ranked(
    request: RerankRequest, scored: Sequence[RelevanceScore], calibration: Calibration | None = None
) -> tuple[RelevanceScore, ...]:
    """Returns the requested part of the raw scores, best first; ties keep the order of the request.

    Only raw scores decide the order, never converted ones. Calibrated scores need a `calibration`.
    """
    raw = np.array([each.relevance_score for each in scored], dtype=np.float64)
    order = np.argsort(-raw, kind="stable")
    best_first = [scored[place] for place in order]
    if request.score_type is not ScoreType.RAW:
        assert calibration or request.score_type is ScoreType.SIGMOID
        make = calibration.probabilities if calibration and request.score_type is ScoreType.CALIBRATED else sigmoid
        made = make(raw[order]).tolist()
        best_first = [replace(each, relevance_score=score) for each, score in zip(best_first, made, strict=True)]
    least = -math.inf if request.min_score is None else request.min_score
    return tuple(each for each in best_first if each.relevance_score >= least)[: request.top_k or None]
