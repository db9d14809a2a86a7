"""A dense encoder: one unit vector per text; its token rows, if the graph returns them, also serve late interaction."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from hybridrank.model_files.arrays import FloatArray, unit_rows
from hybridrank.model_files.model_folder import EncoderToml, ModelFolder
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.rerankers.kind import LoadedModel, Variant, onnx_variants
from hybridrank.sidecar.rerankers.late_interaction import ColbertReranker, loaded_model
from hybridrank.sidecar.runtime.precision import Placed, Runtime, Wanted
from hybridrank.sidecar.runtime.session import open_session, served
from hybridrank.sidecar.runtime.tokenizer import TextTokenizer, TokenSequence
from hybridrank.sidecar.types import TextKind

__all__ = ["SENTENCE_VECTORS", "DenseEncoder", "PooledEncoder", "scored_rows", "variants"]

SENTENCE_VECTORS = "sentence_embedding"  # the output of a graph that pools, (batch, dimensions)
POOLINGS: Mapping[str, Callable[[FloatArray], FloatArray]] = {  # of one text's rows (tokens, dimensions)
    "mean": lambda rows: rows.mean(axis=0),
    "cls": lambda rows: rows[0],
    "last": lambda rows: rows[-1],
}


class DenseEncoder:
    """Vectors are compared by cosine, which is their dot product because they have unit length."""

    output = "last_hidden_state"  # (batch, tokens, dimensions)

    def __init__(
        self, folder: ModelFolder, toml: EncoderToml, device: Literal["cpu", "cuda"] = "cpu", runtime: Runtime = "onnx"
    ) -> None:
        self._toml = toml
        self._tokenizer = TextTokenizer(folder.path / "tokenizer.json", toml.max_tokens)
        self._session = open_session(folder, self.output, self._tokenizer.padding_id, device, runtime)
        self.info = served(folder, self._session)
        self.batches = self.info.precision != "int8"

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        """Builds `[CLS] prefix text [SEP]`, with the prefix from the model's training for this kind of text."""
        return [only for (only,) in self.windows(texts, kind, 1)]

    def windows(self, texts: Sequence[str], kind: TextKind, max_windows: int) -> list[list[TokenSequence]]:
        """Same as `tokenize_texts`, for each window of each text; the first begins with the prefix."""
        prefix = self._toml.query_prefix if kind is TextKind.QUERY else self._toml.document_prefix
        return self._tokenizer.single_windows([prefix + text for text in texts], max_windows)

    def embed(self, sequences: Sequence[TokenSequence]) -> FloatArray:
        """Returns (n, dimensions) unit rows: the mean over a text's tokens, with special ones, or its first or last."""
        return self._pooled(self._session.run(sequences), sequences)

    def embed_with_tokens(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
        """Returns, for each text, (1 + tokens, dimensions): its row of `embed`, then its `token_rows`, from one run."""
        hidden = self._session.run(sequences)
        texts, tokens = self._pooled(hidden, sequences), scored_rows(hidden, sequences)
        return [np.concatenate([text[np.newaxis], rows]) for text, rows in zip(texts, tokens, strict=True)]

    def token_rows(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
        """Returns, for each text, (tokens, dimensions): a unit row for each of its own tokens, without special ones."""
        return scored_rows(self._session.run(sequences), sequences)

    def _pooled(self, hidden: FloatArray, sequences: Sequence[TokenSequence]) -> FloatArray:
        pool = POOLINGS[self._toml.pooling]
        return unit_rows(np.stack([pool(rows[: len(each)]) for rows, each in zip(hidden, sequences, strict=True)]))


class PooledEncoder(DenseEncoder):
    """An encoder whose graph pools, such as one with layers behind its pooling. It makes no token vectors."""

    output = SENTENCE_VECTORS

    def embed(self, sequences: Sequence[TokenSequence]) -> FloatArray:
        """Returns (n, dimensions) unit rows."""
        return unit_rows(self._session.run(sequences))

    def embed_with_tokens(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:  # noqa: ARG002
        """Raises InvalidArgument."""
        raise InvalidArgument("model", f"{self.info.name} pools in its graph, so it makes no token vectors")

    def token_rows(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
        """Returns (1, dimensions) for each text: with its vector as the only row, late interaction is the cosine."""
        return [vector[np.newaxis] for vector in self.embed(sequences)]


def scored_rows(hidden: FloatArray, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
    """Returns unit rows of each text's tokens without special ones, from `hidden` (n, longest, dimensions)."""
    return [
        unit_rows(rows[: len(sequence)][~np.array(sequence.special)])
        for rows, sequence in zip(hidden, sequences, strict=True)
    ]


def variants(path: Path, wanted: Wanted) -> Sequence[Variant]:
    """The kind `encoder`: it encodes texts, and reranks by late interaction, or by cosine if its graph pools."""
    return onnx_variants(path, EncoderToml, wanted, _load)


def _load(placed: Placed, toml: EncoderToml) -> LoadedModel:
    if toml.pooling == "graph":
        pooled = PooledEncoder(placed.folder, toml, placed.device, placed.runtime)
        return LoadedModel(pooled.info, ColbertReranker(pooled), pooled)
    encoder = DenseEncoder(placed.folder, toml, placed.device, placed.runtime)
    return loaded_model(placed.folder, encoder, toml.dimensions, dense=encoder)
