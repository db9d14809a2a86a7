"""Work of a request for a model: its texts, their keys (equal texts have equal keys), and the computation of rows."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.token_codec import TokenCodec
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.rerankers.base import Encoder, Pair, PairReranker, SparseEncoder, TokenEncoder
from hybridrank.sidecar.rerankers.checks import require_query, require_text
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.scoring.keys import text_keys
from hybridrank.sidecar.types import DEFAULT_CHUNKS, EncodeRequest, RerankRequest, TextKind

__all__ = ["Input", "Work", "encode_work", "rerank_work", "sparse_work", "token_work"]

Input = TypeVar("Input", Pair, TokenSequence)


@dataclass(frozen=True)
class Work(Generic[Input]):
    """`texts` are named `field` in the request; texts with equal `keys` have equal rows.

    `windows` cuts each text into at most the given number of inputs, and `compute` turns each input into a row.
    `wanted` are the 0-based numbers of the windows to compute. `optional` work uses the time and room that other work
    leaves. `arrived_at` and `deadline` are points in time of `time.monotonic()`. Rows without `keep` are too large for
    the cache; with `no_cache` the cache is not read either. Speed is recorded as `pace`, empty for the model's name.
    """

    field: str
    model: ModelInfo
    batches: bool
    texts: Sequence[str]
    keys: Sequence[bytes]
    windows: Callable[[Sequence[str], int], list[list[Input]]]
    compute: Callable[[Sequence[Input]], FloatArray | Sequence[FloatArray]]
    query: str = ""
    wanted: range = range(1)
    optional: bool = False
    arrived_at: float = dataclasses.field(default_factory=time.monotonic)
    deadline: float | None = None
    best_effort: bool = False
    keep: bool = True
    no_cache: bool = False
    pace: str = ""

    @property
    def pace_name(self) -> str:
        """The name under which the speed is recorded."""
        return self.pace or self.model.name

    def further(self, places: Sequence[int], max_windows: int) -> "Work[Input]":
        """Returns optional work: further windows of the texts at these positions, `max_windows` with the first."""
        return replace(
            self,
            texts=[self.texts[place] for place in places],
            keys=[self.keys[place] for place in places],
            wanted=range(1, max_windows),
            optional=True,
        )


def rerank_work(request: RerankRequest, reranker: PairReranker) -> Work[Pair]:
    """Scores the first window of each passage, or all allowed ones if no passage may be cut.

    Raises InvalidArgument for a query without a word, or for contributions, which it does not have.
    """
    require_query(request, reranker.info)
    texts = [passage.text for passage in request.passages]
    kind = "score" if request.truncate else "score of the whole"

    def windows(asked: Sequence[str], most: int) -> list[list[Pair]]:
        found = reranker.windows(request.query, asked, most)
        if not request.truncate:
            _require_whole("query", cut=any(pair.query_truncated for pairs in found for pair in pairs))
            for text, pairs in zip(asked, found, strict=True):
                _require_whole(f"candidates[{texts.index(text)}]", cut=pairs[0].truncated)
        return found

    return Work(
        "candidates",
        reranker.info,
        reranker.batches,
        texts,
        text_keys(reranker.info, kind, request.query, texts=texts),
        windows,
        reranker.score,
        query=request.query,
        wanted=range(1 if request.truncate else request.max_windows),
        deadline=request.deadline,
        best_effort=request.best_effort,
        no_cache=request.no_cache,
    )


def encode_work(request: EncodeRequest, encoder: Encoder) -> Work[TokenSequence]:
    """Makes a vector for each text; raises InvalidArgument for a query without a word."""
    return _encode(request, encoder, encoder.embed, "embed")


def sparse_work(request: EncodeRequest, encoder: SparseEncoder) -> Work[TokenSequence]:
    """Makes a sparse row for each text; raises InvalidArgument for a query without a word.

    Queries that are looked up take microseconds, which are not the speed of the model.
    """
    work = _encode(request, encoder, partial(encoder.sparse_rows, kind=request.kind), "sparse")
    is_lookup = encoder.looks_up_queries and request.kind is TextKind.QUERY
    return replace(work, pace=f"{encoder.info.name} queries") if is_lookup else work


def token_work(
    request: EncodeRequest, encoder: TokenEncoder, dense: Encoder | None, codec: TokenCodec
) -> Work[TokenSequence]:
    """Makes rows for the tokens of each text, hundreds of times a vector; without document tokens that `codec` prunes.

    The row of the text comes first, if the model is also `dense`. Of a document up to DEFAULT_CHUNKS windows are read,
    of a query one. Raises InvalidArgument for a query without a word.
    """
    compute = dense.embed_with_tokens if dense else encoder.token_rows
    work = _encode(request, encoder, compute, f"tokens {codec.digest}")
    if request.kind is TextKind.QUERY:
        return replace(work, keep=False)

    def windows(asked: Sequence[str], most: int) -> list[list[TokenSequence]]:
        found = encoder.windows(asked, request.kind, most)
        if not request.truncate:
            for text, windows in zip(asked, found, strict=True):
                _require_whole(f"texts[{request.texts.index(text)}]", cut=windows[-1].truncated)
        return [[each.without(codec.pruned) for each in windows] for windows in found]

    return replace(work, windows=windows, wanted=range(DEFAULT_CHUNKS), keep=False)


def _encode(
    request: EncodeRequest,
    encoder: Encoder | TokenEncoder | SparseEncoder,
    compute: Callable[[Sequence[TokenSequence]], FloatArray | Sequence[FloatArray]],
    kind: str,
) -> Work[TokenSequence]:
    if request.kind is TextKind.QUERY:
        for index, text in enumerate(request.texts):
            require_text(f"texts[{index}]", text)
    kind = kind if request.truncate else f"{kind} of the whole"

    def windows(asked: Sequence[str], most: int) -> list[list[TokenSequence]]:  # noqa: ARG001
        found = encoder.tokenize_texts(asked, request.kind)
        if not request.truncate:
            for text, sequence in zip(asked, found, strict=True):
                _require_whole(f"texts[{request.texts.index(text)}]", cut=sequence.truncated)
        return [[sequence] for sequence in found]

    return Work(
        "texts",
        encoder.info,
        encoder.batches,
        request.texts,
        text_keys(encoder.info, kind, request.kind.value, texts=request.texts),
        windows,
        compute,
        deadline=request.deadline,
        no_cache=request.no_cache,
    )


def _require_whole(field: str, *, cut: bool) -> None:
    if cut:
        raise InvalidArgument(field, "is longer than the model reads; shorten it, or allow it to be cut")
