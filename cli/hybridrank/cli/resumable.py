"""Documents into an index with progress, and what an interruption leaves: the same command goes on from there."""

import asyncio
from collections.abc import Iterable
from typing import Any

from rich.console import Console

from hybridrank.cli.options import cache_folder
from hybridrank.cli.progress import progress
from hybridrank.common.counts import counted
from hybridrank.connector import ConnectorError, SidecarClient
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.indexing import IndexingReport, index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.types import Document

__all__ = ["IndexingInterrupted", "index_resumably"]


class IndexingInterrupted(ConnectorError):
    """Engine or sidecar failed in the middle; the message says why, how much is written, and that it can go on."""


async def index_resumably(
    engine: Engine,
    sidecar: SidecarClient,
    index: str,
    documents: Iterable[Document],
    *,
    title: str,
    total: int,
    console: Console,
    **options: Any,
) -> IndexingReport:
    """`index_documents`, with progress on the console and vectors from the cache.

    Raises IndexingInterrupted once a batch is written, before that what went wrong. A cancellation is told on the
    console.
    """
    reached = IndexingReport()

    def keep(report: IndexingReport) -> None:
        nonlocal reached
        reached = report

    cache = VectorCache(cache_folder() / "vectors.sqlite3")
    try:
        with progress(title, console, total) as advance:
            return await index_documents(
                engine, sidecar, index, documents, cache=cache, on_progress=advance, on_batch=keep, **options
            )
    except ConnectorError as error:
        if reached == IndexingReport():
            raise
        raise IndexingInterrupted(f"{error}\n{_left(reached, total)}") from error
    except asyncio.CancelledError:  # Ctrl-C
        console.print(f"interrupted: {_left(reached, total)}", markup=False)
        raise


def _left(reached: IndexingReport, total: int) -> str:
    unchanged = f" and {reached.unchanged} unchanged" if reached.unchanged else ""
    return (
        f"{counted(reached.indexed, 'document')} written{unchanged}, of {total}; the same command goes on from there:"
        " what is in the index and unchanged is skipped"
    )
