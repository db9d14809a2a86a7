"""An index run that is interrupted says how far it came, and the same run again goes on from there."""

import asyncio
import io

import pytest
from rich.console import Console

from hybridrank.cli.console.progress import ConsoleProgress
from hybridrank.connector import ConnectorError
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.indexing.resumable import IndexingInterrupted, index_resumably
from hybridrank.connector.types import Document
from tests.connector.test_indexing import CountingEncoder

DOCUMENTS = [Document(f"d{number}", {"text": f"hot tea number {number}"}) for number in range(200)]


class SilentEncoder(CountingEncoder):
    """Never answers after `limit` texts."""

    def __init__(self, limit):
        super().__init__(limit=limit)
        self.is_silent = asyncio.Event()

    async def encode(self, texts, **options):
        if len(self.encoded) + len(texts) > self.limit:
            self.is_silent.set()
            await asyncio.Event().wait()
        return await super().encode(texts, **options)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    console = Console(file=io.StringIO(), width=300)

    async def index(sidecar):
        engine = EmbeddedEngine(tmp_path / "indices")
        about = {"title": "indexing", "total": len(DOCUMENTS), "progress": ConsoleProgress(console)}
        return await index_resumably(engine, sidecar, "menu", DOCUMENTS, **about)

    return index, console


async def test_written_documents_are_reported_and_skipped_next_time(run):
    index, _ = run
    with pytest.raises(IndexingInterrupted) as interrupted:
        await index(CountingEncoder(limit=128))
    said = str(interrupted.value)
    assert said.startswith("the sidecar went away\n128 documents written, of 200; the same command goes")
    with pytest.raises(IndexingInterrupted, match="0 documents written and 128 unchanged, of 200"):
        await index(CountingEncoder(limit=0))
    report = await index(CountingEncoder())
    assert (report.indexed, report.unchanged, report.total_in_index) == (72, 128, 200)


async def test_a_run_that_had_not_begun_fails_with_the_reason_alone(run):
    index, _ = run
    with pytest.raises(ConnectorError, match=r"^the sidecar went away$"):
        await index(CountingEncoder(limit=0))


async def test_a_run_that_is_cancelled_says_how_far_it_came(run):
    index, console = run
    encoder = SilentEncoder(limit=64)
    task = asyncio.create_task(index(encoder))
    await asyncio.wait_for(encoder.is_silent.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "interrupted: 64 documents written, of 200; the same command goes on" in console.file.getvalue()
    assert (await index(CountingEncoder())).unchanged == 64
