"""Names of documents in judgments and runs: the id if one index is searched, `index/id` if several are."""

from collections.abc import Iterable
from dataclasses import dataclass

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.types import DocumentKey
from hybridrank.evaluation.collections.beir import CollectionError, Qrels

__all__ = ["AmbiguousId", "DocumentNames"]

_NAMED = 5  # indices named in an error: a pattern may match hundreds


class AmbiguousId(CollectionError):
    """A document is named by its id alone, but several indices are searched, and each may contain that id."""


@dataclass(frozen=True, slots=True)
class DocumentNames:
    """Names of the documents in `searched`, which resolves to the concrete `indices`.

    With one index, a name stays the same when an alias moves to another.

    >>> DocumentNames("shop", ("shop-de", "shop-en")).name(DocumentKey("shop-de", "1"))
    'shop-de/1'
    """

    searched: str
    indices: tuple[str, ...]

    @classmethod
    async def of(cls, engine: Engine, index: str) -> "DocumentNames":
        """Returns the document names for an index, an alias, a pattern or a data stream. Raises EngineError."""
        return cls(index, await engine.indices(index))

    def name(self, key: DocumentKey) -> str:
        """Returns the name of a document."""
        return key.doc_id if len(self.indices) == 1 else str(key)

    def key(self, name: str) -> DocumentKey:
        """Returns the document with that name. Raises AmbiguousId for an id alone if several indices are searched."""
        if len(self.indices) == 1:
            return DocumentKey(self.indices[0], name)
        index, _, doc_id = name.partition("/")
        if index not in self.indices or not doc_id:
            more = f" and {len(self.indices) - _NAMED} more" if len(self.indices) > _NAMED else ""
            raise AmbiguousId(
                f"{name!r} names no document: {self.searched!r} stands for {', '.join(self.indices[:_NAMED])}{more},"
                f" so write index/id, such as {self.indices[0]}/{name}"
            )
        return DocumentKey(index, doc_id)

    def check(self, names: Iterable[str]) -> None:
        """Raises AmbiguousId for the first name that does not identify its index."""
        for name in names if len(self.indices) > 1 else ():
            self.key(name)

    def check_qrels(self, qrels: Qrels) -> None:
        """Raises AmbiguousId for the first judgment that does not identify its index."""
        for grades in qrels.values():
            self.check(grades)
