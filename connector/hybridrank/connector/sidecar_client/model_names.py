"""Names of the models that a sidecar serves."""

from collections.abc import Sequence

from hybridrank.connector.sidecar_client.client import ModelInfo

__all__ = ["models_by_name"]


def models_by_name(models: Sequence[ModelInfo]) -> dict[str, ModelInfo]:
    """Returns each model by all of its names: its own, the one with its version, and its aliases."""
    return {name: each for each in models for name in (each.name, f"{each.name}:{each.version}", *each.aliases)}
