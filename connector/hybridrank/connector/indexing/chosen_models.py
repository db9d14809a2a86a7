"""The models of a sidecar that make an index's vectors, and the default of its token vectors. Pure."""

from collections.abc import Sequence

from hybridrank.common.encoders import TokenFormat, TokenNote
from hybridrank.connector.errors import SidecarError
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.sidecar_client.client import ModelInfo

__all__ = [
    "LATE_INTERACTION",
    "default_token_vectors",
    "find_encoder",
    "find_sparse_encoder",
    "find_token_encoder",
]

LATE_INTERACTION = "colbert"
"""The name of the model whose token vectors are stored if no other is named."""

_SPARSE_KIND = "splade"


def find_encoder(models: Sequence[ModelInfo], wanted: str) -> ModelInfo:
    """Returns the encoder with this name. Raises SidecarError, which lists the loaded models."""
    found = _named(models, wanted)
    if found and found.dimensions:
        return found
    loaded = ", ".join(each.name for each in models) or "none"
    raise SidecarError(f"the sidecar has no encoder named {wanted!r}; models loaded: {loaded}")


def find_sparse_encoder(models: Sequence[ModelInfo], wanted: str) -> ModelInfo:
    """Returns the model of sparse vectors with this name. Raises SidecarError, which lists those that are loaded."""
    found = _named(models, wanted)
    if found and found.kind == _SPARSE_KIND:
        return found
    loaded = ", ".join(each.name for each in models if each.kind == _SPARSE_KIND) or "none"
    raise SidecarError(f"the sidecar has no model of sparse vectors named {wanted!r}; models of that kind: {loaded}")


def find_token_encoder(models: Sequence[ModelInfo], wanted: str, packing: TokenFormat) -> ModelInfo:
    """Returns the model with this name, to make token vectors in that format. Raises SidecarError."""
    found = _named(models, wanted)
    if found is None:
        raise SidecarError(f"the sidecar has no model named {wanted!r} to make token vectors")
    if not found.makes_token_vectors:
        raise SidecarError(f"{found.name} is a model of kind {found.kind}, which makes no token vectors")
    if packing == "residual" and not found.token_codec:
        raise SidecarError(f"{found.name} has no codec for residuals; `hybridrank colbert train-codec` makes one")
    return found


def default_token_vectors(
    models: Sequence[ModelInfo], existing: Fields | None, model: str | None = None
) -> TokenNote | None:
    """Returns the model and format of an index's token vectors if no format is named; None for no token vectors.

    An `existing` index keeps what it notes, or stays without. A new one gets those of `model`, by default of "colbert"
    if the sidecar has it: as residuals with its codec, else as int8, which costs no quality (docs/token-vectors.md).
    Raises SidecarError if the model that the caller or the index names is not there.
    """
    noted = existing.token_vectors if existing else None
    if noted:
        return find_token_encoder(models, model or noted.name, noted.format).token_note(noted.format)
    if existing and not model:
        return None
    found = find_token_encoder(models, model, "int8") if model else _named(models, LATE_INTERACTION)
    if not found or not found.makes_token_vectors:
        return None
    return found.token_note("residual" if found.token_codec else "int8")


def _named(models: Sequence[ModelInfo], wanted: str) -> ModelInfo | None:
    words = ((each, (each.name, f"{each.name}:{each.version}", *each.aliases)) for each in models)
    return next((each for each, names in words if wanted in names), None)
