"""Pure functions from rankings to one ranking."""

from typing import Annotated, TypeAlias, get_args

from pydantic import Field

from hybridrank.connector.fusion.base import Chooser, Fused, FusionMethod, NativeForm
from hybridrank.connector.fusion.rrf import Rrf
from hybridrank.connector.fusion.weighted import WeightedSum

__all__ = ["FUSIONS", "Chooser", "Fused", "Fusion", "FusionMethod", "NativeForm", "Rrf", "WeightedSum"]

Fusion: TypeAlias = Annotated[Rrf | WeightedSum, Field(discriminator="kind")]

FUSIONS: dict[str, type[FusionMethod]] = {
    each.model_fields["kind"].default: each for each in get_args(get_args(Fusion)[0])
}
"""Each fusion by its kind."""
