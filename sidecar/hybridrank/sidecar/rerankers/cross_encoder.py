"""A cross-encoder: query and passage go through the model together, and its head returns one logit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.model_folder import CrossEncoderToml, ModelFolder
from hybridrank.sidecar.rerankers.base import Pair, PairReranker
from hybridrank.sidecar.rerankers.kind import LoadedModel, Variant, onnx_variants
from hybridrank.sidecar.runtime.precision import Placed, Runtime, Wanted
from hybridrank.sidecar.runtime.session import open_session, served
from hybridrank.sidecar.runtime.tokenizer import TextTokenizer

__all__ = ["CrossEncoderReranker", "variants"]


class CrossEncoderReranker(PairReranker):
    """Relevance scores are logits: unbounded, comparable within one query."""

    http_order = 0

    def __init__(
        self,
        folder: ModelFolder,
        device: Literal["cpu", "cuda"] = "cpu",
        runtime: Runtime = "onnx",
        tokenizer: TextTokenizer | None = None,
    ) -> None:
        self._tokenizer = tokenizer or TextTokenizer(folder.path / "tokenizer.json", folder.toml.max_tokens)
        self._session = open_session(folder, "logits", self._tokenizer.padding_id, device, runtime)
        self.info = served(folder, self._session)
        self.batches = self.info.precision != "int8"

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Pair]:
        """Builds a pair as the tokenizer does; cuts the passage, and the query only beyond half of the context."""
        return [Pair(sequence) for sequence in self._tokenizer.pairs(query, passages)]

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """Same as `tokenize`, for each window of each passage."""
        found = self._tokenizer.pair_windows(query, passages, max_windows)
        return [[Pair(sequence) for sequence in sequences] for sequences in found]

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """Returns (n,) logits."""
        return self._session.run([pair.sequence for pair in pairs])[:, 0]


def variants(path: Path, wanted: Wanted) -> Sequence[Variant]:
    """The kind `cross-encoder`."""
    return onnx_variants(path, CrossEncoderToml, wanted, _load)


def _load(placed: Placed, _toml: CrossEncoderToml) -> LoadedModel:
    reranker = CrossEncoderReranker(placed.folder, placed.device, placed.runtime)
    return LoadedModel(reranker.info, reranker)
