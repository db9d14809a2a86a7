"""Indexing with progress; after an interruption, the same call continues where it stopped."""

import asyncio
from collections.abc import Iterable
from typing import Any

from hybridrank.common.cache_folder import cache_folder
from hybridrank.common.counts import counted
from hybridrank.common.progress import Progress
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import ConnectorError
from hybridrank.connector.indexing.documents import IndexingReport, index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.sidecar_client.client import SidecarClient
from hybridrank.connector.types import Document

__all__ = ["IndexingInterrupted", "index_resumably"]


class IndexingInterrupted(ConnectorError):
    """Engine or sidecar failed after documents were written; the message says why, and how many were."""


async def index_resumably(
    engine: Engine,
    sidecar: SidecarClient,
    index: str,
    documents: Iterable[Document],
    *,
    title: str,
    total: int,
    progress: Progress,
    **options: Any,
) -> IndexingReport:
    """Runs `index_documents` with progress, and with vectors from the cache folder.

    Raises IndexingInterrupted once a batch is written, and the original error before that. Reports a cancellation to
    `progress`.
    """
    reached = IndexingReport()

    def keep(report: IndexingReport) -> None:
        nonlocal reached
        reached = report

    cache = VectorCache(cache_folder() / "vectors.sqlite3")
    try:
        with progress.step(title, total) as advance:
            return await index_documents(
                engine, sidecar, index, documents, cache=cache, on_progress=advance, on_batch=keep, **options
            )
    except ConnectorError as error:
        if reached == IndexingReport():
            raise
        raise IndexingInterrupted(f"{error}\n{_left(reached, total)}") from error
    except asyncio.CancelledError:  # Ctrl-C
        progress.note(f"interrupted: {_left(reached, total)}")
        raise


def _left(reached: IndexingReport, total: int) -> str:
    unchanged = f" and {reached.unchanged} unchanged" if reached.unchanged else ""
    return (
        f"{counted(reached.indexed, 'document')} written{unchanged}, of {total}; the same command goes on from there:"
        " what is in the index and unchanged is skipped"
    )
