"""Transforms of a raw value before a model sees it. Trees do not need them; linear models and people do."""

import math
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Decay", "Direction", "Log1p", "Reciprocal", "Saturation", "Transform"]

Direction: TypeAlias = Literal[-1, 0, 1]
"""1 if one value rises with another, -1 if it falls, 0 if neither holds always."""

_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Log1p(BaseModel):
    """sign(x) · ln(1 + |x|): for counts, prices and other values that span several powers of ten.

    >>> round(Log1p(function="log1p").apply(99.0), 3)
    4.605
    """

    model_config = _FROZEN
    direction: ClassVar[Direction] = 1
    function: Literal["log1p"]

    def apply(self, value: float) -> float:
        """Returns a value in (−inf, inf); 0 stays 0."""
        return math.copysign(math.log1p(abs(value)), value)


class Saturation(BaseModel):
    """x / (x + pivot) for x ≥ 0: 0.5 at the pivot, never above 1. It is 0 for x below 0.

    Robertson's term-frequency curve, also used by the engines' `rank_feature` query.

    >>> Saturation(function="saturation", pivot=10).apply(30.0)
    0.75
    """

    model_config = _FROZEN
    direction: ClassVar[Direction] = 1
    function: Literal["saturation"]
    pivot: float = Field(gt=0)

    def apply(self, value: float) -> float:
        """Returns a value in [0, 1]."""
        if value == math.inf:
            return 1.0
        return max(0.0, value) / (max(0.0, value) + self.pivot)


class Reciprocal(BaseModel):
    """1 / (rank_constant + x): the share of a rank in reciprocal rank fusion.

    >>> Reciprocal(function="reciprocal").apply(1.0) == 1 / 61
    True
    """

    model_config = _FROZEN
    direction: ClassVar[Direction] = -1
    function: Literal["reciprocal"]
    rank_constant: float = Field(60.0, gt=0)

    def apply(self, value: float) -> float:
        """Falls with x; for x ≥ 0, the result is in (0, 1 / rank_constant]."""
        return 1 / (self.rank_constant + value)


class Decay(BaseModel):
    """1 up to a distance of `offset` from `origin`, `decay` at `scale` beyond that, and lower further away.

    The engines' own `exp`, `gauss` and `linear` functions (Elasticsearch's page on `function_score`); for dates the
    value is the age in days.

    >>> fresh = Decay(function="exp", scale=30)
    >>> fresh.apply(0.0), fresh.apply(30.0), fresh.apply(60.0)
    (1.0, 0.5, 0.25)
    """

    model_config = _FROZEN
    direction: ClassVar[Direction] = 0
    function: Literal["exp", "gauss", "linear"]
    scale: float = Field(gt=0)
    origin: float = 0.0
    offset: float = Field(0.0, ge=0)
    decay: float = Field(0.5, gt=0, lt=1)

    def apply(self, value: float) -> float:
        """Returns a value in [0, 1]."""
        distance = max(0.0, abs(value - self.origin) - self.offset) / self.scale
        if self.function == "linear":
            return max(0.0, 1 - (1 - self.decay) * distance)
        return math.exp(math.log(self.decay) * (distance if self.function == "exp" else distance**2))


Transform: TypeAlias = Annotated[Log1p | Saturation | Reciprocal | Decay, Field(discriminator="function")]
