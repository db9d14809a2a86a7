"""What may be done to a raw value before a model sees it. Trees do not need it; linear models and people do."""

import math
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Decay", "Direction", "Log1p", "Reciprocal", "Saturation", "Transform"]

Direction: TypeAlias = Literal[-1, 0, 1]
"""Whether one thing rises with another (1), falls (-1), or neither always."""

_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Log1p(BaseModel):
    """sign(x) · ln(1 + |x|): for counts, prices and whatever else spans several powers of ten.

    >>> round(Log1p(function="log1p").apply(99.0), 3)
    4.605
    """

    model_config = _FROZEN
    direction: ClassVar[Direction] = 1
    function: Literal["log1p"]

    def apply(self, value: float) -> float:
        """In (−inf, inf); 0 stays 0."""
        return math.copysign(math.log1p(abs(value)), value)


class Saturation(BaseModel):
    """x / (x + pivot) for x from 0 on: half way at the pivot, never beyond 1. Below 0 it is 0.

    Robertson's curve of term frequency, and that of the engines' `rank_feature` query.

    >>> Saturation(function="saturation", pivot=10).apply(30.0)
    0.75
    """

    model_config = _FROZEN
    direction: ClassVar[Direction] = 1
    function: Literal["saturation"]
    pivot: float = Field(gt=0)

    def apply(self, value: float) -> float:
        """In [0, 1]."""
        if value == math.inf:
            return 1.0
        return max(0.0, value) / (max(0.0, value) + self.pivot)


class Reciprocal(BaseModel):
    """1 / (rank_constant + x): what reciprocal rank fusion makes of a rank.

    >>> Reciprocal(function="reciprocal").apply(1.0) == 1 / 61
    True
    """

    model_config = _FROZEN
    direction: ClassVar[Direction] = -1
    function: Literal["reciprocal"]
    rank_constant: float = Field(60.0, gt=0)

    def apply(self, value: float) -> float:
        """Falls with x; for x from 0 on, in (0, 1 / rank_constant]."""
        return 1 / (self.rank_constant + value)


class Decay(BaseModel):
    """1 up to `offset` away from `origin`, `decay` at `scale` beyond that, ever less further out.

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
        """In [0, 1]."""
        distance = max(0.0, abs(value - self.origin) - self.offset) / self.scale
        if self.function == "linear":
            return max(0.0, 1 - (1 - self.decay) * distance)
        return math.exp(math.log(self.decay) * (distance if self.function == "exp" else distance**2))


Transform: TypeAlias = Annotated[Log1p | Saturation | Reciprocal | Decay, Field(discriminator="function")]
