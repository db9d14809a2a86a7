"""The interface of an API's shape: pure functions from texts to a body, and from an answer to numbers by index."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hybridrank.sidecar.remote.remote_toml import RemoteEncoderToml, RemoteRerankerToml

__all__ = ["Api", "Body", "Embed", "Rerank"]

Body: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Rerank:
    """Reranking: its path, the body for a query and passages, and (index, score) of each passage in the answer.

    `scores` may raise KeyError, IndexError, TypeError and ValueError for an answer of another shape.
    """

    path: str
    body: Callable[[RemoteRerankerToml, str, Sequence[str]], Body]
    scores: Callable[[Any], Iterable[tuple[Any, Any]]]


@dataclass(frozen=True)
class Embed:
    """Encoding: its path, the body for texts of one input type, and (index, vector) of each text in the answer.

    `input_types` are those of queries and documents, if the model.toml names none; empty if the API has none. `vectors`
    may raise the same as `Rerank.scores`.
    """

    path: str
    body: Callable[[RemoteEncoderToml, Sequence[str], str], Body]
    vectors: Callable[[Any], Iterable[tuple[Any, Any]]]
    input_types: tuple[str, str] = ("", "")
    takes_input_types: bool = True


@dataclass(frozen=True)
class Api:
    """An API by what it can do; None for what it cannot."""

    rerank: Rerank | None = None
    embed: Embed | None = None
