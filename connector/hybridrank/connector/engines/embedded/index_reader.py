"""Searchable snapshot of the embedded engine: one index as of a refresh, never changed afterwards."""

import json
import shutil
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tantivy
from numpy.typing import NDArray

from hybridrank.connector.engines.embedded import filters
from hybridrank.connector.engines.embedded.analysis import analyzer_names, analyzers, beginnings
from hybridrank.connector.engines.embedded.dynamic_mapping import filter_types
from hybridrank.connector.engines.embedded.postings import Postings
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.queries.filters import Filter
from hybridrank.connector.queries.retrievers import Bm25Query, KnnQuery, Matches, Query, SparseQuery
from hybridrank.connector.queries.retrievers.bm25 import TIE_BREAKER
from hybridrank.connector.total_hits import TotalHits
from hybridrank.connector.types import Candidate, DocumentKey, Retrieved, Vector
from hybridrank.index_templates import IndexDefinition
from hybridrank.index_templates.sparse import SPARSE

__all__ = ["K1_PLUS_1", "Snapshot"]

Row: TypeAlias = tuple[str, str, bytes | None]  # doc_id, source as JSON, vector as little-endian float32

_WRITER_BYTES = 64_000_000
K1_PLUS_1 = 2.2
"""tantivy and Elasticsearch keep this factor in BM25; Lucene 8 (LUCENE-8563) and OpenSearch 3 dropped it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """n documents of `index` in doc_id order; ordinals count from 0.

    `vectors` (n, d) has unit rows, zero for a document without a vector (`has_vector`), `postings` the sparse vectors.
    """

    index: str
    doc_ids: tuple[str, ...]
    sources: tuple[Mapping[str, Any], ...]
    vectors: NDArray[np.float32]
    has_vector: NDArray[np.bool_]
    postings: Postings
    fields: Fields
    schema: tantivy.Schema
    searcher: tantivy.Searcher
    analyzers: Mapping[str, tantivy.TextAnalyzer]  # by text field

    @classmethod
    def build(
        cls,
        folder: Path,
        definition: IndexDefinition,
        rows: Sequence[Row],
        types: Mapping[str, str],
    ) -> "Snapshot":
        """Opens the tantivy index in `folder`; derives it from the rows first if it does not exist.

        `types` are the types of the fields, by path.
        """
        sources = tuple(json.loads(source) for _, source, _ in rows)
        sparse = [source.pop(SPARSE, {}) for source in sources] if definition.sparse else [{} for _ in sources]
        schema = _schema(definition)
        named = analyzers(definition.language)
        by_field = {field: named[name] for field, name in analyzer_names(definition).items()}
        if not folder.exists():
            _derive(folder, schema, named, by_field, sources)
        index = _open(schema, folder, named)
        nothing = bytes(4 * definition.dimensions)
        vectors = np.frombuffer(b"".join(vector or nothing for *_, vector in rows), dtype="<f4")
        return cls(
            index=folder.parent.name,
            doc_ids=tuple(doc_id for doc_id, *_ in rows),
            sources=sources,
            vectors=_unit_rows(vectors.reshape(len(rows), definition.dimensions)),
            has_vector=np.array([vector is not None for *_, vector in rows], dtype=np.bool_),
            postings=Postings.of(sparse),
            fields=_fields(folder.parent.name, definition, types),
            schema=schema,
            searcher=index.searcher(),
            analyzers=by_field,
        )

    @staticmethod
    def pack(vector: Vector | None) -> bytes | None:
        """Returns a vector as a row holds it."""
        return None if vector is None else np.asarray(vector, dtype="<f4").tobytes()

    def rank(self, query: Query) -> Retrieved:
        """Returns the ranking of one query, whose fields fit the index, and the exact match count if requested.

        Raises EngineError for a retriever that this engine does not have.
        """
        scores, total = query.matches(self)
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[: query.rank_window_size]
        ranking = tuple(
            Candidate(
                self.doc_ids[ordinal],
                rank,
                score,
                self._source(ordinal, query.source_excludes) if query.with_sources else {},
                index=self.index,
            )
            for rank, (ordinal, score) in enumerate(best, start=1)
        )
        return Retrieved(ranking, total=None if total is None else TotalHits(total))

    def bm25(self, query: Bm25Query) -> Matches:
        """Returns the best matches, and the number of all matches if the query requests it.

        With a filter every match is checked, so that the window fills with those that pass.
        """
        by_field = [
            tantivy.Query.boost_query(clause, boost)
            for pattern, boost in query.fields.items()
            for field in self.fields.named(pattern)
            if (clause := self.any_of(field, query.searched_text))
        ]
        if not by_field or not self.doc_ids:
            return Matches({}, 0 if query.track_total_hits else None)
        passing = self._passing(query.filters) if query.filters else None
        limit = query.rank_window_size if passing is None else len(self.doc_ids)
        counted = bool(query.track_total_hits) and passing is None
        found = self.searcher.search(tantivy.Query.disjunction_max_query(by_field, TIE_BREAKER), limit, count=counted)
        scores = {ordinal: score / K1_PLUS_1 for ordinal, score in self.by_ordinal(found).items()}
        count = found.count or 0  # type: ignore[attr-defined]  # the stubs lack it
        if passing is not None:
            scores = {each: score for each, score in scores.items() if passing[each]}
            count = len(scores)
        return Matches(scores, count if query.track_total_hits else None)

    def passing_ordinals(self, conditions: Sequence[Filter]) -> list[int]:
        """Returns the documents that pass all filters."""
        ordinals: list[int] = np.flatnonzero(self._passing(conditions)).tolist()
        return ordinals

    def _passing(self, conditions: Sequence[Filter]) -> NDArray[np.bool_]:
        return filters.passing(conditions, self.doc_ids, self.sources, self.fields.filtered)

    def any_of(self, field: str, text: str) -> tantivy.Query | None:
        """Returns BM25 of a text against a text field; None, which matches nothing, if no word of the text remains."""
        terms = [tantivy.Query.term_query(self.schema, field, word, "freq") for word in self.words(field, text)]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms]) if terms else None

    def words(self, field: str, text: str) -> list[str]:
        """Returns the words of a text as a text field holds them; none for a field of another kind."""
        analyzer = self.analyzers.get(field)
        return analyzer.analyze(text) if analyzer else []

    def by_ordinal(self, found: tantivy.SearchResult) -> dict[int, float]:
        """Returns ordinal → tantivy's score; divide a BM25 score by K1_PLUS_1."""
        ordinals: list[Any] = self.searcher.fast_field_values("ordinal", [address for _, address in found.hits])
        return {ordinal: float(score) for ordinal, (score, _) in zip(ordinals, found.hits, strict=True)}

    def knn(self, query: KnnQuery) -> Matches:
        """Returns the nearest documents with (1 + cosine) / 2, the servers' score for cosine similarity."""
        if not self.doc_ids:
            return Matches({})
        vector = np.asarray(query.vector, dtype=np.float32)
        candidates = np.flatnonzero(self.has_vector & self._passing(query.filters))
        scores = (1 + self.vectors[candidates] @ _unit_rows(vector[None])[0]) / 2
        window = min(query.rank_window_size, len(candidates))
        best = np.argsort(-scores, kind="stable")[:window]
        return Matches({int(candidates[place]): float(scores[place]) for place in best})

    def sparse(self, query: SparseQuery) -> Matches:
        """Returns the documents with the highest dot products; one that shares no token with the query is no match."""
        if not self.doc_ids:
            return Matches({})
        scores = self.postings.scores(query.weights) * self._passing(query.filters)
        best = np.argsort(-scores, kind="stable")[: query.rank_window_size]
        return Matches({int(ordinal): float(scores[ordinal]) for ordinal in best if scores[ordinal] > 0})

    def ordinals(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, int]:
        """Returns the ordinals of the existing documents."""
        places = {key: bisect_left(self.doc_ids, key.doc_id) for key in keys if key.index == self.index}
        return {key: place for key, place in places.items() if self.doc_ids[place : place + 1] == (key.doc_id,)}

    def sources_of(self, keys: Sequence[DocumentKey], excludes: Sequence[str]) -> dict[DocumentKey, Mapping[str, Any]]:
        """Returns the sources of the existing documents."""
        return {key: self._source(place, excludes) for key, place in self.ordinals(keys).items()}

    def _source(self, ordinal: int, excludes: Sequence[str]) -> Mapping[str, Any]:
        return {name: value for name, value in self.sources[ordinal].items() if name not in excludes}


def _fields(index: str, definition: IndexDefinition, types: Mapping[str, str]) -> Fields:
    return Fields(
        dict(types),
        {"vector": {definition.dimensions}},
        dict(definition.searched),
        encoders={index: {"vector": definition.encoder, **definition.encoders}},
        language=definition.language,
        made_of={path: path.rpartition(".")[0] for path in definition.subfield_paths},
        filtered=filter_types(index, types),
    )


def _schema(definition: IndexDefinition) -> tantivy.Schema:
    builder = tantivy.SchemaBuilder().add_integer_field("ordinal", indexed=True, fast=True)
    for field, analyzer in analyzer_names(definition).items():
        builder = builder.add_text_field(field, tokenizer_name=analyzer, index_option="position")
    return builder.build()


def _open(schema: tantivy.Schema, folder: Path, named: Mapping[str, tantivy.TextAnalyzer]) -> tantivy.Index:
    index = tantivy.Index(schema, str(folder))
    for name, analyzer in named.items():
        index.register_tokenizer(name, analyzer)
    return index


def _derive(
    folder: Path,
    schema: tantivy.Schema,
    named: Mapping[str, tantivy.TextAnalyzer],
    by_field: Mapping[str, tantivy.TextAnalyzer],
    sources: Sequence[Mapping[str, Any]],
) -> None:
    draft = folder.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    writer = _open(schema, draft, named).writer(_WRITER_BYTES, 1)
    for ordinal, source in enumerate(sources):
        texts = {field: _text(field, source, analyzer) for field, analyzer in by_field.items()}
        writer.add_document(tantivy.Document(ordinal=ordinal, **texts))
    writer.commit()
    writer.wait_merging_threads()
    for stale in folder.parent.glob("tantivy-*"):
        if stale != draft:
            shutil.rmtree(stale, ignore_errors=True)
    draft.rename(folder)


def _text(field: str, source: Mapping[str, Any], analyzer: tantivy.TextAnalyzer) -> str:
    name, _, subfield = (field, "", "") if field in source else field.rpartition(".")
    value = source.get(name or field)
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    return " ".join(beginnings(analyzer.analyze(text))) if subfield == "prefix" else text


def _unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit
