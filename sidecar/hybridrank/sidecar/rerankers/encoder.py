"""A dense encoder: one unit vector per text; its token rows also serve late interaction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from hybridrank.model_files.arrays import FloatArray, unit_rows
from hybridrank.model_files.model_folder import EncoderToml, ModelFolder
from hybridrank.sidecar.rerankers.kind import LoadedModel, Variant, onnx_variants
from hybridrank.sidecar.rerankers.late_interaction import loaded_model
from hybridrank.sidecar.runtime.precision import Placed, Runtime, Wanted
from hybridrank.sidecar.runtime.session import open_session, served
from hybridrank.sidecar.runtime.tokenizer import TextTokenizer, TokenSequence
from hybridrank.sidecar.types import TextKind


class DenseEncoder:
    """Vectors are compared by cosine, which is their dot product because they have unit length."""

    def __init__(
        self, folder: ModelFolder, toml: EncoderToml, device: Literal["cpu", "cuda"] = "cpu", runtime: Runtime = "onnx"
    ) -> None:
        self._toml = toml
        self._tokenizer = TextTokenizer(folder.path / "tokenizer.json", toml.max_tokens)
        self._session = open_session(folder, "last_hidden_state", self._tokenizer.padding_id, device, runtime)
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
        """Returns (n, dimensions) unit rows: the mean over a text's tokens, with special ones, or its [CLS] row."""
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
        if self._toml.pooling == "cls":
            return unit_rows(hidden[:, 0])
        rows = [rows[: len(sequence)].mean(axis=0) for rows, sequence in zip(hidden, sequences, strict=True)]
        return unit_rows(np.stack(rows))


def scored_rows(hidden: FloatArray, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
    """Returns unit rows of each text's tokens without special ones, from `hidden` (n, longest, dimensions)."""
    return [
        unit_rows(rows[: len(sequence)][~np.array(sequence.special)])
        for rows, sequence in zip(hidden, sequences, strict=True)
    ]


def variants(path: Path, wanted: Wanted) -> Sequence[Variant]:
    """The kind `encoder`: it encodes texts, and reranks by late interaction over its token rows."""
    return onnx_variants(path, EncoderToml, wanted, _load)


def _load(placed: Placed, toml: EncoderToml) -> LoadedModel:
    encoder = DenseEncoder(placed.folder, toml, placed.device, placed.runtime)
    return loaded_model(placed.folder, encoder, toml.dimensions, dense=encoder)
