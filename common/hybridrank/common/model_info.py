"""Information about a served model, for callers."""

from dataclasses import dataclass

__all__ = ["FeatureSetInfo", "ModelInfo"]


@dataclass(frozen=True)
class FeatureSetInfo:
    """The columns of a forest, by their names in order, and the SHA-256 that identifies the set."""

    name: str
    version: str
    digest: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class ModelInfo:
    """Information about a model for callers. `digest` is the SHA-256 over everything that decides its output.

    `max_tokens` is 0 for a forest, which reads features and no text. `token_codec` is the digest of the codec with
    which an encoder packs residuals, and `calibration` the digest of its calibration; empty if it has none.
    `comparable_digests` are those of the same model at the other precisions of its folder, whose vectors are comparable
    with its own. `languages` are ISO 639-1 codes, "*" for many; empty if the folder does not name them.
    """

    name: str
    version: str
    kind: str
    digest: str
    precision: str
    max_tokens: int
    dimensions: int = 0
    aliases: tuple[str, ...] = ()
    feature_set: FeatureSetInfo | None = None
    token_codec: str = ""
    calibration: str = ""
    pooling: str = ""
    query_prefix: str = ""
    document_prefix: str = ""
    comparable_digests: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
