"""The embedded engine: tantivy BM25 and exact kNN over one folder on disk. For one machine: demos, notebooks, tests.

One folder per index: `documents.sqlite3` holds the written documents and is the source of truth;
`tantivy-<layout>-<version>` is derived from it by `refresh` and rebuilt if missing, so a crash leaves no partial data.
"""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import TypeAdapter

from hybridrank.common.atomic import replacing
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.engines.documents import IndexReport, RejectedDocument, as_json, document_problem
from hybridrank.connector.engines.embedded import extraction
from hybridrank.connector.engines.embedded.analysis import EMBEDDED_LANGUAGES
from hybridrank.connector.engines.embedded.dynamic_mapping import declared, learned, new_fields
from hybridrank.connector.engines.embedded.index_reader import Snapshot
from hybridrank.connector.engines.embedded.snippets import snippets
from hybridrank.connector.engines.index_names import check_name, check_new_name, expression_problem, new_name_problem
from hybridrank.connector.errors import EngineError, IndexMissing
from hybridrank.connector.fusion import Fusion
from hybridrank.connector.mapping import fields
from hybridrank.connector.mapping.encoders import encoder_conflict, feature_encoder_problem, lost_vectors
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.queries import checks
from hybridrank.connector.queries.retrievers import Bm25Query, Query
from hybridrank.connector.types import Document, DocumentKey, EngineInfo, Retrieved, Vector
from hybridrank.index_templates import EncoderNote, IndexDefinition
from hybridrank.index_templates.sparse import SPARSE
from hybridrank.index_templates.vectors import TOKEN_VECTORS
from hybridrank.ltr_features import FeatureQuery, FeatureSet

__all__ = ["EmbeddedEngine"]

_SCHEMA = """
CREATE TABLE documents (doc_id TEXT PRIMARY KEY, source TEXT NOT NULL, vector BLOB) WITHOUT ROWID;
CREATE TABLE definition (body TEXT NOT NULL);
"""
# In a table apart from the documents, which are all read into memory; an index of an earlier release does not have it.
_PACKED_TABLE = "CREATE TABLE IF NOT EXISTS token_vectors (doc_id TEXT PRIMARY KEY, packed BLOB NOT NULL)"
_TYPES_TABLE = "CREATE TABLE IF NOT EXISTS types (field TEXT PRIMARY KEY, type TEXT NOT NULL) WITHOUT ROWID"

_DEFINITION = TypeAdapter(IndexDefinition)
_NOTED = {"vector": "encoder", TOKEN_VECTORS: "token_vectors"}  # field → part of the definition
_LAYOUT = 2  # version of the derived data; data of an earlier release is derived again


class EmbeddedEngine(Engine):
    """Every index is a folder under `path`. BM25 has Lucene's k1, b and formula; kNN compares every vector.

    An index is read at its first search and after each `refresh` of this object; later writes of another process are
    not visible before that.
    """

    def __init__(self, path: str | Path, *, busy_timeout_s: float = 30.0) -> None:
        self.path = Path(path).expanduser()
        self.busy_timeout_s = busy_timeout_s
        self._snapshots: dict[str, Snapshot] = {}
        self._deriving = Lock()  # the first searches of an index may run in parallel; one of them derives it for all

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    async def retrieve(self, index: str, queries: Mapping[str, Query]) -> dict[str, Retrieved | EngineError]:
        """Returns one ranking per query, over the documents at the last refresh."""
        snapshot = await asyncio.to_thread(self._snapshot, index)
        for query in queries.values():
            checks.warn_of_query(repr(self), index, snapshot.fields, query)
        return {name: await asyncio.to_thread(_answer, index, snapshot, query) for name, query in queries.items()}

    async def retrieve_fused(self, index: str, queries: Mapping[str, Query], fusion: Fusion) -> Retrieved:  # noqa: ARG002
        """Always refuses: there is no round trip to save."""
        raise EngineError("the embedded engine leaves fusion to the client", reason="not_native")

    async def sources(
        self, index: str, keys: Sequence[DocumentKey], source_excludes: Sequence[str]
    ) -> dict[DocumentKey, Mapping[str, Any]]:
        """Returns them as of the last refresh."""
        snapshot = await asyncio.to_thread(self._snapshot, index)
        return snapshot.sources_of(keys, source_excludes)

    async def fields_of(self, index: str) -> Fields:
        """Returns the fields of the documents at the last refresh."""
        return (await asyncio.to_thread(self._snapshot, index)).fields

    async def highlight(
        self, index: str, query: Bm25Query, names: Sequence[str], keys: Sequence[DocumentKey]
    ) -> dict[DocumentKey, dict[str, tuple[str, ...]]]:
        """Returns the best fragment of each field, from tantivy."""
        snapshot = await asyncio.to_thread(self._snapshot, index)
        if problem := fields.absent(index, snapshot.fields, names):
            raise EngineError(problem, reason="bad_field")
        return await asyncio.to_thread(snippets, snapshot, query, names, keys)

    async def extract(
        self, index: str, feature_set: FeatureSet, query: FeatureQuery, keys: Sequence[DocumentKey]
    ) -> Mapping[str, Any]:
        """Computes the features here, in the shape of a server's answer."""
        snapshot = await asyncio.to_thread(self._snapshot, index)
        if problem := feature_encoder_problem(index, snapshot.fields, feature_set, query):
            raise EngineError(problem, reason="wrong_encoder")
        if problem := fields.feature_problem(index, snapshot.fields, feature_set, query):
            raise EngineError(problem, reason="bad_field")
        return await asyncio.to_thread(extraction.answer, snapshot, feature_set, query, keys)

    async def indices(self, index: str) -> tuple[str, ...]:
        """Returns the index itself: there are no aliases and no patterns here."""
        with self._open(index):
            return (index,)

    async def plan_index(self, index: str, definition: IndexDefinition) -> tuple[str, ...]:
        """Returns one line if there is no such index yet."""
        await asyncio.to_thread(self._check, index, definition)
        return () if self._file(index).exists() else (f"+index {index}, {definition}",)

    async def create_index(self, index: str, definition: IndexDefinition) -> bool:
        """Creates the folder and its tables. Raises EngineError for a language unknown to tantivy, and for synonyms."""
        await asyncio.to_thread(self._check, index, definition)
        if self._file(index).exists():
            return False
        await asyncio.to_thread(self._create, index, definition)
        return True

    async def check_writable(self, index: str) -> None:
        """Begins a transaction and rolls it back."""

        def check() -> None:
            with self._open(index) as database:
                database.execute("BEGIN IMMEDIATE")
                database.rollback()

        await asyncio.to_thread(check)

    async def fields(self, index: str) -> Fields:
        """Returns the fields as of the last refresh."""
        return (await asyncio.to_thread(self._snapshot, index)).fields

    async def note_encoder(self, index: str, paths: Sequence[str], encoder: EncoderNote) -> None:
        """Notes it in the definition."""
        if others := [each for each in paths if each not in _NOTED]:
            raise EngineError(
                f"the embedded engine has vectors in field 'vector', not in {', '.join(others)}", reason="unsupported"
            )

        def note() -> None:
            changed: dict[str, Any] = {_NOTED[path]: encoder for path in paths}
            definition = replace(self._definition(index), **changed)
            with self._open(index) as database:
                database.execute("UPDATE definition SET body = ?", (json.dumps(asdict(definition)),))
            self._snapshots.pop(index, None)

        await asyncio.to_thread(note)

    async def index_documents(self, index: str, documents: Sequence[Document]) -> IndexReport:
        """Writes all of them in one transaction; rejects a vector whose length differs from the index's."""
        return await asyncio.to_thread(self._write, index, documents)

    async def stored_digests(self, index: str, doc_ids: Sequence[str]) -> dict[str, str]:
        """Reads them from the documents themselves."""

        def read() -> dict[str, str]:
            statement = "SELECT json_extract(source, '$.content_digest') FROM documents WHERE doc_id = ?"
            with self._open(index) as database:
                rows = ((doc_id, database.execute(statement, (doc_id,)).fetchone()) for doc_id in doc_ids)
                return {doc_id: row[0] or "" for doc_id, row in rows if row}

        return await asyncio.to_thread(read)

    async def stored_token_vectors(self, index: str, keys: Sequence[DocumentKey]) -> dict[DocumentKey, bytes]:
        """Reads the last written ones from disk."""

        def read() -> dict[DocumentKey, bytes]:
            with self._open(index) as database:
                database.execute(_PACKED_TABLE)
                statement = "SELECT packed FROM token_vectors WHERE doc_id = ?"
                here = (key for key in keys if key.index == index)
                rows = ((key, database.execute(statement, (key.doc_id,)).fetchone()) for key in here)
                return {key: row[0] for key, row in rows if row}

        return await asyncio.to_thread(read)

    async def refresh(self, index: str) -> int:
        """Derives a tantivy index from the documents, unless nothing was written since the last time."""
        self._snapshots.pop(index, None)
        return len((await asyncio.to_thread(self._snapshot, index)).doc_ids)

    async def delete_index(self, index: str) -> bool:
        """Removes the folder."""
        check_name(index)
        self._snapshots.pop(index, None)
        if not self._file(index).exists():
            return False
        await asyncio.to_thread(shutil.rmtree, self._file(index).parent)
        return True

    async def info(self) -> EngineInfo:
        """Returns tantivy's version."""
        return EngineInfo(
            "embedded", version("tantivy"), frozenset({*EMBEDDED_LANGUAGES, "exact_knn", "prefix"} - {"standard"})
        )

    async def close(self) -> None:
        """Drops the snapshots."""
        self._snapshots.clear()

    def _file(self, index: str) -> Path:
        """Returns the path of an index. Raises IndexMissing for a pattern, EngineError for an invalid name."""
        if problem := expression_problem(index):
            raise EngineError(f"index {problem}", reason="bad_name")
        if index.startswith("."):
            raise EngineError(
                f"index {index!r} cannot be the name of an embedded index: it names a folder", reason="bad_name"
            )
        if new_name_problem(index, lowercase=False):
            raise self._missing(index)
        return self.path / index / "documents.sqlite3"

    def _missing(self, index: str) -> IndexMissing:
        return IndexMissing(
            f"there is no index {index!r} in {self.path}; `hybridrank index` creates one", reason="index_missing"
        )

    @contextmanager
    def _open(self, index: str) -> Iterator[sqlite3.Connection]:
        file = self._file(index)
        if not file.exists():
            raise self._missing(index)
        try:
            with closing(sqlite3.connect(file, timeout=self.busy_timeout_s)) as database, database:
                yield database
        except sqlite3.OperationalError as error:  # locked by another writer, read-only, or a full disk
            raise EngineError(f"index {index!r} in {self.path}: {error}", reason="not_writable") from error

    def _check(self, index: str, definition: IndexDefinition) -> None:
        """Raises EngineError for features that this engine does not have, and for an existing index that differs."""
        if definition.vectors != "float" or definition.vector_fields or definition.passages:
            raise EngineError(
                "the embedded engine has one vector for a document, as it is: no passages, no further vector fields and"
                " no smaller vectors; OpenSearch and Elasticsearch have them",
                reason="unsupported",
            )
        if definition.language not in EMBEDDED_LANGUAGES or definition.synonyms:
            lacking = "synonyms" if definition.synonyms else f"analysis for {definition.language}"
            raise EngineError(f"the embedded engine has no {lacking}", reason="unsupported")
        check_name(index)
        if not self._file(index).exists():
            check_new_name(index)
            return
        stored = self._definition(index)
        if (stored.language, stored.subfields) != (definition.language, definition.subfields):
            raise EngineError(
                f"index {index!r} was made for {stored.language} with subfields {list(stored.subfields)}, not"
                f" {definition.language} and {list(definition.subfields)}; index into a new name",
                reason="wrong_language",
            )
        there = Fields(encoders={index: {**stored.encoders}})
        if conflict := encoder_conflict(there, definition):
            raise EngineError(conflict, reason="wrong_encoder")
        if definition.sparse and not stored.sparse:
            raise EngineError(
                f"index {index!r} was made without sparse vectors; index into a new name", reason="wrong_vectors"
            )
        if lost := lost_vectors(there, definition):
            raise EngineError(lost, reason="wrong_vectors")
        if stored.dimensions != definition.dimensions:
            raise EngineError(
                f"index {index!r} holds vectors of {stored.dimensions} dimensions in field 'vector', not"
                f" {definition.dimensions}; index into a new name, or delete it first",
                reason="wrong_dimensions",
            )

    def _create(self, index: str, definition: IndexDefinition) -> None:
        file = self._file(index)
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as draft, closing(sqlite3.connect(draft)) as database, database:
            database.executescript(_SCHEMA)
            database.execute("INSERT INTO definition VALUES (?)", (json.dumps(asdict(definition)),))

    def _definition(self, index: str) -> IndexDefinition:
        with self._open(index) as database:
            (body,) = database.execute("SELECT body FROM definition").fetchone()
        return _DEFINITION.validate_json(body)

    def _write(self, index: str, documents: Sequence[Document]) -> IndexReport:
        definition = self._definition(index)
        rejected: list[RejectedDocument] = []
        rows: list[tuple[str, str, bytes | None]] = []
        packed: dict[str, bytes] = {}
        known = self._types(index, definition)
        for each in documents:
            try:
                if problem := document_problem(each) or _vector_problem(each.vector, definition.dimensions):
                    raise ValueError(problem)
                known |= new_fields(definition, known, each.source)
            except ValueError as error:
                rejected.append(RejectedDocument(each.doc_id, str(error)))
                continue
            sparse = {SPARSE: dict(each.sparse)} if each.sparse else {}
            rows.append((each.doc_id, as_json({**each.source, **sparse}), Snapshot.pack(each.vector)))
            packed.pop(each.doc_id, None)  # of an earlier document with this id, which this one replaces
            if each.token_vectors:
                packed[each.doc_id] = each.token_vectors
        with self._open(index) as database:
            database.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", rows)
            database.execute(_PACKED_TABLE)
            database.executemany("DELETE FROM token_vectors WHERE doc_id = ?", [(doc_id,) for doc_id, *_ in rows])
            database.executemany("INSERT INTO token_vectors VALUES (?, ?)", packed.items())
            database.execute(_TYPES_TABLE)
            database.executemany("INSERT OR IGNORE INTO types VALUES (?, ?)", known.items())
            database.execute(f"PRAGMA user_version = {_version(database) + 1}")
        return IndexReport(len(rows), tuple(rejected))

    def _snapshot(self, index: str) -> Snapshot:
        with self._deriving:
            if index not in self._snapshots:
                definition = self._definition(index)
                with self._open(index) as database:
                    rows = database.execute("SELECT doc_id, source, vector FROM documents ORDER BY doc_id").fetchall()
                    folder = self.path / index / f"tantivy-{_LAYOUT}-{_version(database)}"
                types = self._types(index, definition)
                self._snapshots[index] = Snapshot.build(folder, definition, rows, types)
            return self._snapshots[index]

    def _types(self, index: str, definition: IndexDefinition) -> dict[str, str]:
        """Returns the learned types of the fields; an index of an earlier release has not noted them."""
        with self._open(index) as database:
            if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'types'").fetchone():
                return declared(definition) | dict(database.execute("SELECT field, type FROM types"))
            rows = database.execute("SELECT source FROM documents ORDER BY doc_id")
            return learned(definition, (json.loads(source) for (source,) in rows))


def _vector_problem(vector: Vector | None, dimensions: int) -> str:
    if vector is None or len(vector) == dimensions:
        return ""
    return f"field 'vector' has {len(vector)} dimensions, not {dimensions}"


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _answer(index: str, snapshot: Snapshot, query: Query) -> Retrieved | EngineError:
    if isinstance(query, Bm25Query) and query.aggregations:
        return EngineError("the embedded engine has no aggregations", reason="unsupported")
    for reason, find in checks.PROBLEMS.items():
        if problem := find(index, snapshot.fields, query):
            return EngineError(problem, reason=reason)
    try:
        return snapshot.rank(checks.as_sent(query, index, snapshot.fields))
    except EngineError as error:  # a retriever that this engine does not have
        return error
