"""The encoder of an index's vectors, and the model of its token vectors, as noted in its mapping. Pure.

Vectors of two encoders with the same length look alike but cannot be compared. So the code that writes vectors notes
the encoder, and the code that compares a query's vector with them reads the note first.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

__all__ = ["EncoderNote", "TokenFormat", "TokenNote", "same_encoder"]

TokenFormat: TypeAlias = Literal["fp32", "fp16", "int8", "residual"]
"""Format of stored token vectors; docs/token-vectors.md has the cost of each."""

_SHOWN = 12  # characters of a digest that a message shows
_SETTINGS = ("pooling", "query_prefix", "document_prefix")


@dataclass(frozen=True, slots=True)
class EncoderNote:
    """An encoder: its digest identifies its vectors, the other fields are for people.

    `digest` covers weights, tokenizer, pooling, prefixes and length of input. `comparable_digests` are the digests of
    the same model at the other precisions of its folder: int8 vectors are fp32 vectors with a little noise.
    """

    name: str
    digest: str
    version: str = ""
    pooling: str = ""
    query_prefix: str = ""
    document_prefix: str = ""
    comparable_digests: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} (digest {self.digest[:_SHOWN]})"

    def as_json(self) -> dict[str, Any]:
        """Returns the note as the `_meta` of a mapping holds it."""
        return {**asdict(self), "comparable_digests": list(self.comparable_digests)}

    @classmethod
    def from_json(cls, noted: Any) -> "EncoderNote | None":
        """Reads the note from a `_meta`; None if it is not a note, because a mapping's `_meta` may hold anything."""
        if not isinstance(noted, Mapping) or not isinstance(noted.get("digest"), str) or not noted["digest"]:
            return None
        texts = {each.name: str(noted.get(each.name, "")) for each in fields(cls) if each.name != "comparable_digests"}
        others = noted.get("comparable_digests")
        return cls(**texts, comparable_digests=tuple(map(str, others)) if isinstance(others, list) else ())

    def differences(self, other: "EncoderNote") -> str:
        """Returns, as text, the settings that differ between two encoders of one name; empty if the names differ."""
        if self.name != other.name:
            return ""
        differing = [each for each in _SETTINGS if getattr(self, each) != getattr(other, each)]
        found = [f"{each} {getattr(self, each)!r} and {getattr(other, each)!r}" for each in differing]
        return f"they differ in {', '.join(found)}" if found else "their weights, tokenizers or lengths differ"


@dataclass(frozen=True, slots=True)
class TokenNote(EncoderNote):
    """A model of token vectors, and the format in which an index stores them.

    Token vectors of two precisions are never compared, so it has no `comparable_digests`.
    """

    format: TokenFormat = "int8"

    @classmethod
    def of(cls, encoder: EncoderNote, format: TokenFormat) -> "TokenNote":  # noqa: A002
        """Returns the note of this model's token vectors in a format."""
        return cls(**asdict(encoder) | {"comparable_digests": (), "format": format})

    @classmethod
    def from_json(cls, noted: Any) -> "TokenNote | None":
        """Reads the note; None also for a format that this version does not know."""
        encoder = EncoderNote.from_json(noted)
        return cls.of(encoder, noted["format"]) if encoder and noted.get("format") in get_args(TokenFormat) else None


def same_encoder(one: EncoderNote, other: EncoderNote) -> bool:
    """Returns True if vectors of one encoder can be compared with vectors of the other.

    >>> same_encoder(EncoderNote("e", "int8", comparable_digests=("fp32",)), EncoderNote("renamed", "fp32"))
    True
    >>> same_encoder(EncoderNote("e", "old"), EncoderNote("e", "new"))
    False
    """
    return not {one.digest, *one.comparable_digests}.isdisjoint({other.digest, *other.comparable_digests})
