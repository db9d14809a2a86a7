"""Pure functions from rankings to one ranking."""

from typing import Annotated, TypeAlias

from pydantic import Field

from connector.fusion.base import Fused, FusionMethod
from connector.fusion.rrf import Rrf
from connector.fusion.weighted import WeightedSum

__all__ = ["Fused", "Fusion", "FusionMethod", "Rrf", "WeightedSum"]

Fusion: TypeAlias = Annotated[Rrf | WeightedSum, Field(discriminator="kind")]
