"""Names of documents in judgments and runs: the id where one index is searched, `index/id` where several are."""

from collections.abc import Iterable
from dataclasses import dataclass

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.types import DocumentKey
from hybridrank.evaluation.collections.beir import CollectionError, Qrels

__all__ = ["AmbiguousId", "DocumentNames"]

_NAMED = 5  # of the indices, in an error: a pattern may stand for hundreds


class AmbiguousId(CollectionError):
    """A document is named by its id alone, and several indices are searched, each of which may hold that id."""


@dataclass(frozen=True, slots=True)
class DocumentNames:
    """The names of documents of what was `searched`, which stands for the concrete `indices`.

    With one index, a name stays the same when an alias moves to another.

    >>> DocumentNames("shop", ("shop-de", "shop-en")).name(DocumentKey("shop-de", "1"))
    'shop-de/1'
    """

    searched: str
    indices: tuple[str, ...]

    @classmethod
    async def of(cls, engine: Engine, index: str) -> "DocumentNames":
        """The names of documents of an index, an alias, a pattern or a data stream. Raises EngineError."""
        return cls(index, await engine.indices(index))

    def name(self, key: DocumentKey) -> str:
        """The name of a document."""
        return key.doc_id if len(self.indices) == 1 else str(key)

    def key(self, name: str) -> DocumentKey:
        """The document of that name. Raises AmbiguousId for an id without an index where several are searched."""
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
        """Raises AmbiguousId for the first name that does not say which index is meant."""
        for name in names if len(self.indices) > 1 else ():
            self.key(name)

    def check_qrels(self, qrels: Qrels) -> None:
        """Raises AmbiguousId for the first judgment that does not say which index is meant."""
        for grades in qrels.values():
            self.check(grades)
