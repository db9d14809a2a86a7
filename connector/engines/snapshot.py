"""What the embedded engine searches: one index as it was at a refresh, never changed afterwards.

Analysis is what the index templates ask of a server: lower case, Lucene's English stop words, Porter 2 stems. Words are
runs of letters and digits, a little finer than the servers' tokenizer (`json.dumps` is two words here, one there).
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tantivy
from numpy.typing import NDArray

from connector.engines import masks
from connector.engines.fields import Fields
from connector.queries.bm25 import TIE_BREAKER
from connector.types import Bm25Query, Candidate, KnnQuery, Query, Ranking, Vector
from index_templates import IndexDefinition

__all__ = ["K1_PLUS_1", "Snapshot", "analyze", "any_of"]

Row: TypeAlias = tuple[str, str, bytes | None]  # doc_id, source as JSON, vector as little-endian float32

# fmt: off
_STOP_WORDS = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
]
# fmt: on
_WRITER_BYTES = 64_000_000
K1_PLUS_1 = 2.2
"""tantivy and Elasticsearch keep this factor in front of BM25; Lucene 8 dropped it (LUCENE-8563), and OpenSearch 3."""

_ANALYZER = (
    tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    .filter(tantivy.Filter.lowercase())
    .filter(tantivy.Filter.custom_stopword(_STOP_WORDS))
    .filter(tantivy.Filter.stemmer("english"))
    .build()
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """n documents in doc_id order, which their ordinals count from 0.

    `vectors` (n, d) holds unit rows, zero where a document has none (`has_vector`).
    """

    doc_ids: tuple[str, ...]
    sources: tuple[Mapping[str, Any], ...]
    vectors: NDArray[np.float32]
    has_vector: NDArray[np.bool_]
    fields: Fields
    schema: tantivy.Schema
    searcher: tantivy.Searcher

    @classmethod
    def build(cls, folder: Path, definition: IndexDefinition, rows: Sequence[Row]) -> "Snapshot":
        """Open the tantivy index in `folder`, deriving it from the rows first when it is not there."""
        sources = tuple(json.loads(source) for _, source, _ in rows)
        schema = _schema(definition)
        if not folder.exists():
            _derive(folder, schema, definition.text_fields, sources)
        index = tantivy.Index(schema, str(folder))
        index.register_tokenizer("passage", _ANALYZER)
        nothing = bytes(4 * definition.dimensions)
        vectors = np.frombuffer(b"".join(vector or nothing for *_, vector in rows), dtype="<f4")
        return cls(
            doc_ids=tuple(doc_id for doc_id, *_ in rows),
            sources=sources,
            vectors=_unit_rows(vectors.reshape(len(rows), definition.dimensions)),
            has_vector=np.array([vector is not None for *_, vector in rows], dtype=np.bool_),
            fields=_fields(definition, sources),
            schema=schema,
            searcher=index.searcher(),
        )

    @staticmethod
    def pack(vector: Vector | None) -> bytes | None:
        """A vector as a row holds it."""
        return None if vector is None else np.asarray(vector, dtype="<f4").tobytes()

    def rank(self, query: Query) -> Ranking:
        """The ranking of one query, whose fields fit the index."""
        if not self.doc_ids:
            return ()
        scores = self._bm25(query) if isinstance(query, Bm25Query) else self._knn(query)
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[: query.rank_window_size]
        return tuple(
            Candidate(self.doc_ids[ordinal], rank, score, self._source(ordinal, query.source_excludes))
            for rank, (ordinal, score) in enumerate(best, start=1)
        )

    def _bm25(self, query: Bm25Query) -> dict[int, float]:
        """Ordinal → score. With a filter every match is looked at, so that the window fills with those that pass."""
        words = analyze(query.text)
        if not words:
            return {}
        by_field = [
            tantivy.Query.boost_query(any_of(self.schema, field, words), boost) for field, boost in query.fields.items()
        ]
        passing = masks.passing(query.filters, self.sources) if query.filters else None
        limit = query.rank_window_size if passing is None else len(self.doc_ids)
        found = self.searcher.search(tantivy.Query.disjunction_max_query(by_field, TIE_BREAKER), limit, count=False)
        scores = {ordinal: score / K1_PLUS_1 for ordinal, score in self.by_ordinal(found).items()}
        return scores if passing is None else {each: score for each, score in scores.items() if passing[each]}

    def by_ordinal(self, found: tantivy.SearchResult) -> dict[int, float]:
        """Ordinal → tantivy's score; divide one of BM25 by K1_PLUS_1."""
        ordinals: list[Any] = self.searcher.fast_field_values("ordinal", [address for _, address in found.hits])
        return {ordinal: float(score) for ordinal, (score, _) in zip(ordinals, found.hits, strict=True)}

    def _knn(self, query: KnnQuery) -> dict[int, float]:
        """Ordinal → (1 + cosine) / 2, the servers' score for cosine similarity."""
        vector = np.asarray(query.vector, dtype=np.float32)
        candidates = np.flatnonzero(self.has_vector & masks.passing(query.filters, self.sources))
        scores = (1 + self.vectors[candidates] @ _unit_rows(vector[None])[0]) / 2
        window = min(query.rank_window_size, len(candidates))
        best = np.argsort(-scores, kind="stable")[:window]
        return {int(candidates[place]): float(scores[place]) for place in best}

    def _source(self, ordinal: int, excludes: Sequence[str]) -> Mapping[str, Any]:
        return {name: value for name, value in self.sources[ordinal].items() if name not in excludes}


def _fields(definition: IndexDefinition, sources: Sequence[Mapping[str, Any]]) -> Fields:
    keywords = {name: "keyword" for source in sources for name in source}
    types = keywords | dict.fromkeys(definition.text_fields, "text") | {"vector": "knn_vector"}
    return Fields(types, {"vector": definition.dimensions})


def _schema(definition: IndexDefinition) -> tantivy.Schema:
    builder = tantivy.SchemaBuilder().add_integer_field("ordinal", indexed=True, fast=True)
    for field in definition.text_fields:
        builder = builder.add_text_field(field, tokenizer_name="passage", index_option="position")
    return builder.build()


def _derive(
    folder: Path, schema: tantivy.Schema, text_fields: Sequence[str], sources: Sequence[Mapping[str, Any]]
) -> None:
    draft = folder.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    index = tantivy.Index(schema, str(draft))
    index.register_tokenizer("passage", _ANALYZER)
    writer = index.writer(_WRITER_BYTES, 1)
    for ordinal, source in enumerate(sources):
        texts = {field: _text(source.get(field)) for field in text_fields}
        writer.add_document(tantivy.Document(ordinal=ordinal, **texts))
    writer.commit()
    writer.wait_merging_threads()
    for stale in folder.parent.glob("tantivy-*"):
        if stale != draft:
            shutil.rmtree(stale, ignore_errors=True)
    draft.rename(folder)


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def analyze(text: str) -> list[str]:
    """The words of a text as an index holds them."""
    words: list[str] = _ANALYZER.analyze(text)
    return words


def any_of(schema: tantivy.Schema, field: str, words: Sequence[str]) -> tantivy.Query:
    """BM25 of analysed words against a field."""
    terms = [tantivy.Query.term_query(schema, field, word, "freq") for word in words]
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])


def _unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit
