"""Information about a served model, for callers."""

from dataclasses import dataclass

from hybridrank.common.encoders import EncoderNote, TokenFormat, TokenNote

__all__ = ["FeatureSetInfo", "ModelInfo"]


@dataclass(frozen=True, slots=True)
class FeatureSetInfo:
    """The columns of a lambdamart model, by their names in order, and the SHA-256 of their definitions."""

    name: str
    version: str
    digest: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Information about a served model. `kind` is that of its folder, such as "encoder" or "lambdamart".

    `digest` is the SHA-256 over everything that decides its output. `dimensions` is 0 except for encoders, `max_tokens`
    is 0 for a lambdamart model, and only that kind has a `feature_set`. `token_codec` is the digest of the codec that
    packs token vectors as "residual", `calibration` the digest of the calibration of raw scores; empty if there is
    none. `comparable_digests` are those of the same model at the other precisions of its folder, whose vectors are
    comparable with its own. `languages` are ISO 639 codes, "*" for many; empty if the folder does not name them.
    `blend_weight` is its share in a blend with the scores before it, as its folder recommends, else None.
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
    blend_weight: float | None = None

    @property
    def makes_token_vectors(self) -> bool:
        """True for late interaction: a graph that pools, and a model elsewhere, give one vector for a text."""
        return self.kind in {"encoder", "colbert"} and self.pooling != "graph" and self.precision != "remote"

    @property
    def encoder(self) -> EncoderNote:
        """The model in the form that an index notes beside its vectors."""
        return EncoderNote(
            name=self.name,
            digest=self.digest,
            version=self.version,
            pooling=self.pooling,
            query_prefix=self.query_prefix,
            document_prefix=self.document_prefix,
            comparable_digests=self.comparable_digests,
        )

    def token_note(self, format: TokenFormat) -> TokenNote:  # noqa: A002
        """Returns the model in the form that an index notes beside its token vectors."""
        return TokenNote.of(self.encoder, format)
