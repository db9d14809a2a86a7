"""Indexing of documents: encodes each text once through the sidecar and writes in batches that can be resumed."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

from hybridrank.common.encoders import same_encoder
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.engines.documents import RejectedDocument, fitting
from hybridrank.connector.errors import SidecarError
from hybridrank.connector.indexing.chosen_models import (
    LATE_INTERACTION,
    find_encoder,
    find_sparse_encoder,
    find_token_encoder,
)
from hybridrank.connector.indexing.splitting import Split, split
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.mapping.encoders import lacking_note, warn_of_missing_note
from hybridrank.connector.passages import passage_text
from hybridrank.connector.sidecar_client.base import Encoder, SparseEncoder
from hybridrank.connector.sidecar_client.client import ModelInfo
from hybridrank.connector.types import DEFAULT_CHUNKS, Document, Encoding, TokenFormat, Vector
from hybridrank.index_templates import IndexDefinition
from hybridrank.index_templates.vectors import TOKEN_VECTORS

__all__ = ["IndexingReport", "index_documents"]

_BATCH_SIZE = 64  # documents per request: about a second of encoding on two cores, so that progress is visible
_TEXTS_A_CALL = 256  # long documents have many passages; this bounds a call's size and time
_ENCODE_TIMEOUT_S = 300.0
_ANSWER_BYTES = 32 * 1024 * 1024  # of token vectors in one answer, half of what a message may have
_MOST_DIMENSIONS = 1024  # of token vectors, where the model does not tell: a ColBERT checkpoint
_BYTES_A_DIMENSION: Mapping[TokenFormat, float] = {"fp32": 4, "fp16": 2, "int8": 1, "residual": 0.5}  # about, at most


class EncoderWithModels(Encoder, SparseEncoder, Protocol):
    """An encoder of texts, also into sparse vectors, and of their tokens, that can list its models."""

    async def encode_tokens(
        self, texts: Sequence[str], *, model: str, token_vectors: TokenFormat, timeout_s: float
    ) -> tuple[Encoding, ...]:
        """Returns the packed token vectors of each document, in order; from an encoder, with its unit vector.

        Raises SidecarError.
        """
        ...

    async def models(self) -> tuple[ModelInfo, ...]:
        """Returns the loaded models."""
        ...


@dataclass(frozen=True, slots=True)
class IndexingReport:
    """Result of an indexing run. `unchanged` documents existed already; `duplicates` are repeated ids.

    `truncated` are written documents that are longer than the windows of their token vectors.
    """

    indexed: int = 0
    unchanged: int = 0
    encoded: int = 0
    truncated: int = 0
    duplicates: tuple[str, ...] = ()
    rejected: tuple[RejectedDocument, ...] = ()
    total_in_index: int = 0

    def __add__(self, other: "IndexingReport") -> "IndexingReport":
        return IndexingReport(
            self.indexed + other.indexed,
            self.unchanged + other.unchanged,
            self.encoded + other.encoded,
            self.truncated + other.truncated,
            self.duplicates + other.duplicates,
            self.rejected + other.rejected,
            other.total_in_index,
        )


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The model whose token vectors are stored, their format, and the digest of that model or of its codec."""

    model: ModelInfo
    format: TokenFormat
    digest: str

    @classmethod
    def of(cls, models: Sequence[ModelInfo], wanted: str, packing: TokenFormat) -> "_Tokens":
        info = find_token_encoder(models, wanted, packing)
        return cls(info, packing, info.token_codec if packing == "residual" else info.digest)

    async def encode(self, encoder: EncoderWithModels, texts: Sequence[str]) -> dict[str, Encoding]:
        different = list(dict.fromkeys(texts))
        row = _BYTES_A_DIMENSION[self.format] * (self.model.dimensions or _MOST_DIMENSIONS)
        a_call = max(1, int(_ANSWER_BYTES / (row * max(1, self.model.max_tokens) * DEFAULT_CHUNKS)))
        found: dict[str, Encoding] = {}
        for start in range(0, len(different), a_call):
            some = different[start : start + a_call]
            encodings = await encoder.encode_tokens(
                some, model=self.model.name, token_vectors=self.format, timeout_s=_ENCODE_TIMEOUT_S
            )
            for each in encodings:
                _digest_of(each, self.model, compared=False)
            found |= dict(zip(some, encodings, strict=True))
        return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """The vectors of a document and their texts: its own or its passages', its tokens', further fields', sparse."""

    info: ModelInfo
    tokens: _Tokens | None
    passages: Split | None
    vector_fields: Mapping[str, Sequence[str]]
    sparse: ModelInfo | None = None

    @property
    def made_by(self) -> str:
        """The part of a digest besides the document: everything that changes its vectors."""
        packed = [self.tokens.format, self.tokens.digest, f"{DEFAULT_CHUNKS} windows"] if self.tokens else []
        cut = [f"passages {self.passages.words}/{self.passages.overlap}"] if self.passages else []
        more = [f"{name}={','.join(fields)}" for name, fields in sorted(self.vector_fields.items())]
        sparse = [f"sparse {self.sparse.digest}"] if self.sparse else []
        return " ".join([self.info.digest, *packed, *cut, *more, *sparse])

    def definition(self, wanted: IndexDefinition) -> IndexDefinition:
        """Returns the definition of the index that holds them."""
        length = self.info.dimensions
        more = dict.fromkeys(self.vector_fields, length)
        return replace(
            wanted,
            dimensions=length,
            passages=self.passages is not None,
            vector_fields=more,
            encoder=self.info.encoder,
            sparse=self.sparse.encoder if self.sparse else None,
            token_vectors=self.tokens.model.token_note(self.tokens.format) if self.tokens else None,
        )

    def cut(self, source: Mapping[str, Any]) -> tuple[str, ...]:
        """Returns the passages of a document, none if it is not split."""
        return split(source, self.passages) if self.passages else ()

    def more(self, source: Mapping[str, Any]) -> dict[str, str]:
        """Returns the text of each further vector field."""
        return {name: passage_text(source, fields) for name, fields in self.vector_fields.items()}

    def texts(self, source: Mapping[str, Any]) -> tuple[str, ...]:
        """Returns all texts to encode."""
        own = self.cut(source) if self.passages else (passage_text(source),)
        return (*own, *self.more(source).values())


async def index_documents(
    engine: Engine,
    encoder: EncoderWithModels,
    index: str,
    documents: Iterable[Document],
    *,
    cache: VectorCache,
    definition: IndexDefinition | None = None,
    model: str = "encoder",
    token_vectors: TokenFormat | None = None,
    colbert: str = LATE_INTERACTION,
    passages: Split | None = None,
    vector_fields: Mapping[str, Sequence[str]] | None = None,
    sparse: str | None = None,
    on_progress: Callable[[int], None] = lambda _count: None,
    on_batch: Callable[[IndexingReport], None] = lambda _report: None,
) -> IndexingReport:
    """Creates the index if needed, then encodes and writes every new or changed document.

    The index follows `definition`, with the vector length of the encoder. A document's `content_digest` covers its
    fields and the model's digest, so an interrupted run continues where it stopped, and a new model encodes everything
    again. `on_progress` gets the size of each finished batch, `on_batch` the report so far. With `token_vectors` every
    document also gets those of `colbert`, in that format, for Rescore by that model. With `passages` long documents are
    split in that way, and each passage gets a vector instead of the document. `vector_fields` are further vectors, each
    from the text of the named fields: {"title_vector": ["title"]}. With `sparse`, the name of a SPLADE model, each
    document also gets its sparse vector, for the retriever `sparse`. The index notes the models of all its vectors; one
    with other vectors, or whose documents would lose some, is refused before anything is written. Raises EngineError
    and SidecarError; documents written before that stay.
    """
    if passages and token_vectors:
        raise ValueError("token vectors are stored for whole documents; leave them out, or the passages")
    models = await encoder.models()
    info = find_encoder(models, model)
    tokens = _Tokens.of(models, colbert, token_vectors) if token_vectors else None
    sparse_info = find_sparse_encoder(models, sparse) if sparse else None
    plan = _Plan(info, tokens, passages, vector_fields or {}, sparse_info)
    wanted = plan.definition(definition or IndexDefinition())
    await engine.create_index(index, wanted)
    await engine.check_writable(index)
    report = IndexingReport()
    seen: set[str] = set()
    for batch in _batches(documents):
        fresh, duplicates = _first_of_each(batch, seen)
        report += await _index_batch(engine, encoder, plan, index, fresh, cache)
        report += IndexingReport(duplicates=duplicates)
        on_progress(len(batch))
        on_batch(report)
    report += IndexingReport(total_in_index=await engine.refresh(index))
    await _note_encoders(engine, index, wanted, whole=report.total_in_index == report.indexed + report.unchanged)
    return report


async def _note_encoders(engine: Engine, index: str, definition: IndexDefinition, *, whole: bool) -> None:
    """Notes encoders where no note exists, if `whole`: all documents are from this run, so all vectors are ours.

    Another format of token vectors is always noted, as the format of the next run: each vector tells its own.
    """
    fields = await engine.fields(index)
    wanted, noted = definition.token_vectors, fields.token_vectors
    if wanted and wanted != noted and (whole or (noted and noted.digest == wanted.digest)):
        await engine.note_encoder(index, [TOKEN_VECTORS], wanted)
    for encoder in dict.fromkeys(definition.encoders.values()):
        paths = [path for path, each in definition.encoders.items() if each == encoder and lacking_note(fields, path)]
        if paths and whole:
            await engine.note_encoder(index, paths, encoder)
        else:
            for path in paths:
                warn_of_missing_note(repr(engine), index, fields, path, encoder)


async def _index_batch(
    engine: Engine,
    encoder: EncoderWithModels,
    plan: _Plan,
    index: str,
    documents: Sequence[Document],
    cache: VectorCache,
) -> IndexingReport:
    documents, unfit = fitting(documents)
    rejected = tuple(unfit)
    digests = {each.doc_id: _content_digest(each.source, plan.made_by) for each in documents}
    stored = await engine.stored_digests(index, list(digests))
    changed = [each for each in documents if stored.get(each.doc_id) != digests[each.doc_id]]
    if not changed:
        return IndexingReport(unchanged=len(documents), rejected=rejected)
    tokens, info = plan.tokens, plan.info
    texts = {each.doc_id: passage_text(each.source) for each in changed}
    by_token = await tokens.encode(encoder, list(texts.values())) if tokens else {}
    ready = by_token if tokens and tokens.model == info else {}  # one run of the model gave both
    wanted = [text for each in changed for text in plan.texts(each.source) if text]
    vectors, encoded = await _vectors(encoder, info, wanted, cache, ready)
    sparse = await _sparse_vectors(encoder, plan.sparse, list(texts.values())) if plan.sparse else {}
    written = await engine.index_documents(
        index,
        [
            Document(
                each.doc_id,
                {**each.source, "content_digest": digests[each.doc_id]},
                None if plan.passages else vectors.get(texts[each.doc_id]),
                by_token[texts[each.doc_id]].token_vectors if tokens else None,
                tuple((text, vectors[text]) for text in plan.cut(each.source)),
                {name: vectors[text] for name, text in plan.more(each.source).items() if text},
                sparse.get(texts[each.doc_id], {}),
            )
            for each in changed
        ],
    )
    rejected += written.rejected
    kept = {each.doc_id for each in changed} - {each.doc_id for each in written.rejected}
    truncated = sum(by_token[texts[doc_id]].truncated for doc_id in kept) if tokens else 0
    return IndexingReport(written.indexed, len(documents) - len(changed), encoded, truncated, rejected=rejected)


async def _vectors(
    encoder: Encoder, info: ModelInfo, texts: Sequence[str], cache: VectorCache, ready: Mapping[str, Encoding]
) -> tuple[Mapping[str, Vector], int]:
    """Returns text → vector for all texts, from the cache, from `ready` or encoded; and the number of cache misses."""
    known = await asyncio.to_thread(cache.get, info.digest, texts)
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    if not missing:
        return known, 0
    fresh = {text: ready[text] for text in missing if text in ready}
    unready = [text for text in missing if text not in fresh]
    for start in range(0, len(unready), _TEXTS_A_CALL):
        texts = unready[start : start + _TEXTS_A_CALL]
        encodings = await encoder.encode(texts, model=info.name, kind="document", timeout_s=_ENCODE_TIMEOUT_S)
        fresh |= dict(zip(texts, encodings, strict=True))
    vectors = {text: each.vector for text, each in fresh.items()}
    for digest in dict.fromkeys(_digest_of(each, info) for each in fresh.values()):
        made = {text: vectors[text] for text, each in fresh.items() if _digest_of(each, info) == digest}
        await asyncio.to_thread(cache.put, digest, made)
    return {**known, **vectors}, len(missing)


async def _sparse_vectors(
    encoder: SparseEncoder, info: ModelInfo, texts: Sequence[str]
) -> Mapping[str, Mapping[str, float]]:
    """Returns text → sparse vector of all texts that are not empty."""
    different = [text for text in dict.fromkeys(texts) if text]
    if not different:
        return {}
    found = await encoder.encode_sparse(different, model=info.name, kind="document", timeout_s=_ENCODE_TIMEOUT_S)
    for each in found:
        _digest_of(each, info)
    return {text: each.sparse for text, each in zip(different, found, strict=True)}


def _digest_of(encoding: Encoding, info: ModelInfo, *, compared: bool = True) -> str:
    """Returns the digest of the model that answered, on any sidecar. Raises SidecarError if it is not `info`.

    Vectors of the model at another precision may be `compared` with its own; token vectors may not.
    """
    answered = encoding.encoder or info.encoder
    if not same_encoder(answered, info.encoder) or not (compared or answered.digest == info.digest):
        raise SidecarError(
            f"documents are encoded by {info.encoder}, and now a sidecar answered as {answered}: was the model"
            " replaced, or has one of several sidecars another? Vectors of both in one index cannot be compared"
        )
    return answered.digest


def _content_digest(source: Mapping[str, Any], model_digest: str) -> str:
    content = json.dumps([model_digest, dict(source)], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _first_of_each(batch: Sequence[Document], seen: set[str]) -> tuple[list[Document], tuple[str, ...]]:
    """Returns the documents with a new id, and the repeated ids. Adds to `seen`."""
    fresh: list[Document] = []
    duplicates: list[str] = []
    for each in batch:
        if each.doc_id in seen:
            duplicates.append(each.doc_id)
        else:
            seen.add(each.doc_id)
            fresh.append(each)
    return fresh, tuple(duplicates)


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    iterator = iter(documents)
    while batch := list(islice(iterator, _BATCH_SIZE)):
        yield batch
