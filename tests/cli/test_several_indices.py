"""Commands over a name that stands for several indices."""

from io import StringIO

import pytest
from rich.console import Console

from hybridrank.cli.actions import search
from hybridrank.cli.console.progress import ConsoleProgress
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.types import Document, Hit, SearchResponse, Timings
from hybridrank.evaluation.collections.document_names import AmbiguousId
from hybridrank.evaluation.collections.judged import JudgedCollection
from hybridrank.evaluation.experiments.bench import Bench
from hybridrank.index_templates import IndexDefinition
from tests.doubles import WordSidecar
from tests.several import Alias

DOCUMENTS = [Document("1", {"title": "Tea", "text": "hot tea"})]


def shown(*hits: Hit) -> str:
    search.out.file = written = StringIO()
    search.show_response(SearchResponse(hits, len(hits), (), Timings()), explain=False)
    return written.getvalue()


def hit(index: str, rank: int) -> Hit:
    return Hit("1", rank, 1.0, rank, 1.0, {}, source={"title": f"Tea {rank}"}, final_score=1.0, index=index)


def test_search_shows_the_index_where_hits_are_of_several(monkeypatch):
    monkeypatch.setattr(search, "out", Console(width=80))
    both = shown(hit("shop-de", 1), hit("shop-en", 2))
    assert "Tea 1 (shop-de/1)" in both
    assert "Tea 2 (shop-en/1)" in both
    assert "shop-de" not in shown(hit("shop-de", 1))


async def test_several_indices_are_evaluated_as_they_are(tmp_path):
    engine, console = EmbeddedEngine(tmp_path), Console(file=StringIO(), width=200)
    for index in ("de", "en"):
        await engine.create_index(index, IndexDefinition(dimensions=8))
        await engine.index_documents(index, DOCUMENTS)
    bench = Bench(Alias(engine, ("de", "en")), WordSidecar(), (), ConsoleProgress(console))
    collection = JudgedCollection("shop", "digest", "test", DOCUMENTS, {"q": "tea"}, {"q": {"de/1": 1}}, 0)
    await bench.fill("shop", collection)
    assert "shop stands for 2 indices, which are searched as they are; nothing is written" in console.file.getvalue()
    ambiguous = JudgedCollection("shop", "digest", "test", DOCUMENTS, {"q": "tea"}, {"q": {"1": 1}}, 0)
    with pytest.raises(AmbiguousId, match="'shop' stands for de, en"):
        await bench.fill("shop", ambiguous)
