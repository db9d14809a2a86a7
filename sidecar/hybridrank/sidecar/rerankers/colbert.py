"""Encoder of a ColBERT checkpoint: token rows of queries and documents, each read as in training."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import ColbertToml, ModelFolder
from hybridrank.sidecar.rerankers.encoder import scored_rows
from hybridrank.sidecar.rerankers.kind import LoadedModel, Variant, onnx_variants
from hybridrank.sidecar.rerankers.late_interaction import loaded_model
from hybridrank.sidecar.runtime.precision import Placed, Runtime, Wanted
from hybridrank.sidecar.runtime.session import open_session, served
from hybridrank.sidecar.runtime.tokenizer import TextTokenizer, TokenSequence
from hybridrank.sidecar.types import TextKind

OUTPUT = "token_vectors"  # (batch, tokens, dimensions), projected, of any length


class ColbertEncoder:
    """Returns only token rows, no vector of a whole text.

    A query is `[CLS] [Q] text [SEP]`, padded to its length with [MASK] if the checkpoint does so, and every token of it
    is scored. A document is `[CLS] [D] text [SEP]`; tokens on the skiplist are read but not scored. Markers, masks and
    skiplist come from the checkpoint (Khattab & Zaharia, SIGIR 2020).
    """

    def __init__(
        self, folder: ModelFolder, toml: ColbertToml, device: Literal["cpu", "cuda"] = "cpu", runtime: Runtime = "onnx"
    ) -> None:
        self._toml = toml
        self._queries = _Reader(folder, toml.query_length, toml.query_prefix, toml.query_marker)
        self._documents = _Reader(folder, toml.max_tokens, toml.document_prefix, toml.document_marker)
        tokenizer = self._documents.tokenizer
        self._expansion = tokenizer.token_id(toml.expansion_token) if toml.expansion_token else None
        self._skiplist = frozenset(tokenizer.token_id(token) for token in toml.skiplist)
        self._session = open_session(folder, OUTPUT, tokenizer.padding_id, device, runtime)
        self._folder = folder
        self.info = served(folder, self._session)
        self.batches = self.info.precision != "int8"

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        """Returns one sequence per text; a long one keeps its beginning."""
        return [only for (only,) in self.windows(texts, kind, 1)]

    def windows(self, texts: Sequence[str], kind: TextKind, max_windows: int) -> list[list[TokenSequence]]:
        """Same as `tokenize_texts`, for each window of each text; all have markers, the first one also the prefix."""
        query = kind is TextKind.QUERY
        reader, finished = (
            (self._queries, self._finished_query) if query else (self._documents, self._finished_document)
        )
        return [[finished(window) for window in windows] for windows in reader.windows(texts, max_windows)]

    def token_rows(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
        """Returns, for each text, (tokens, dimensions): a unit row for each scored token."""
        hidden = self._session.run(sequences)
        if hidden.shape[2] != self._toml.dimensions:
            problem = f"token vectors have {hidden.shape[2]} dimensions; model.toml says {self._toml.dimensions}"
            raise BadModelFolder(self._folder.path, problem)
        return scored_rows(hidden, sequences)

    def _finished_query(self, sequence: TokenSequence) -> TokenSequence:
        """Scores every token, unless the query has none of its own."""
        missing = 0 if self._expansion is None else self._toml.query_length - len(sequence)
        return replace(
            sequence,
            token_ids=(*sequence.token_ids, *[self._expansion or 0] * missing),
            segment_ids=(*sequence.segment_ids, *[0] * missing),
            special=(all(sequence.special),) * (len(sequence) + missing),
            unattended=0 if self._toml.attend_to_expansion else missing,
        )

    def _finished_document(self, sequence: TokenSequence) -> TokenSequence:
        return replace(sequence, special=tuple(token_id in self._skiplist for token_id in sequence.token_ids))


class _Reader:
    """Cuts one kind of text to its length and puts its marker after the first token."""

    def __init__(self, folder: ModelFolder, length: int, prefix: str, marker: str) -> None:
        self.tokenizer = TextTokenizer(folder.path / "tokenizer.json", length - 1 if marker else length)
        self._prefix = prefix
        self._marker = self.tokenizer.token_id(marker) if marker else None

    def windows(self, texts: Sequence[str], max_windows: int) -> list[list[TokenSequence]]:
        found = self.tokenizer.single_windows([self._prefix + text for text in texts], max_windows)
        return [[self._marked(window) for window in windows] for windows in found]

    def _marked(self, sequence: TokenSequence) -> TokenSequence:
        if self._marker is None:
            return sequence
        return replace(
            sequence,
            token_ids=(*sequence.token_ids[:1], self._marker, *sequence.token_ids[1:]),
            segment_ids=(*sequence.segment_ids[:1], 0, *sequence.segment_ids[1:]),
            special=(*sequence.special[:1], True, *sequence.special[1:]),
        )


def variants(path: Path, wanted: Wanted) -> Sequence[Variant]:
    """The kind `colbert`: it reranks by late interaction, with sums as in the published ColBERT."""
    return onnx_variants(path, ColbertToml, wanted, _load)


def _load(placed: Placed, toml: ColbertToml) -> LoadedModel:
    encoder = ColbertEncoder(placed.folder, toml, placed.device, placed.runtime)
    return loaded_model(placed.folder, encoder, toml.dimensions, sums=True)
