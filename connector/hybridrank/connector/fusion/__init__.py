"""Pure functions from rankings to one ranking."""

from typing import Annotated, TypeAlias

from pydantic import Field

from hybridrank.connector.fusion.base import Fused, FusionMethod
from hybridrank.connector.fusion.rrf import Rrf
from hybridrank.connector.fusion.weighted import WeightedSum

__all__ = ["Fused", "Fusion", "FusionMethod", "Rrf", "WeightedSum"]

Fusion: TypeAlias = Annotated[Rrf | WeightedSum, Field(discriminator="kind")]
