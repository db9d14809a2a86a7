"""k1 and b of an index on the real servers: set while it is searched, and tuned."""

import asyncio
import json
import sys

import pytest

from hybridrank.cli.__main__ import main
from hybridrank.connector import Document, connect_engine
from hybridrank.connector.admin.similarity import Bm25Settings, bm25_settings, change_bm25_settings
from hybridrank.connector.errors import EngineError, IndexMissing
from hybridrank.connector.queries.retrievers import Bm25Query
from tests.evaluation.menu import write_menu
from tests.live.indices import index_of

HELD = [
    Document("once", {"title": "", "text": "tea"}),
    Document("often", {"title": "", "text": "tea tea tea tea"}),
    Document("long", {"title": "", "text": "tea with milk sugar spices water leaves flour eggs cake"}),
    Document("none", {"title": "", "text": "soup"}),
]


@pytest.fixture(scope="module")
def index(engine_url):
    with index_of(engine_url, HELD, shards=1) as name:
        yield name


@pytest.fixture
async def engine(engine_url):
    engine = await connect_engine(engine_url)
    yield engine
    await engine.close()


async def scores(engine, index):
    answer = (await engine.retrieve(index, {"bm25": Bm25Query("tea", {"text": 1.0}, rank_window_size=10)}))["bm25"]
    return {each.doc_id: each.score for each in answer.ranking}


async def test_an_index_counts_as_it_was_told(engine, index):
    """Without b a long text scores as a short one; without k1 a word counts the same however often it comes."""
    before = await scores(engine, index)
    assert len(set(before.values())) == 3
    assert await bm25_settings(engine, index) == {index: Bm25Settings()}
    assert await change_bm25_settings(engine, index, Bm25Settings(k1=1.5, b=0)) == (index,)
    flat = await scores(engine, index)
    assert flat["once"] == flat["long"] < flat["often"]
    await change_bm25_settings(engine, index, Bm25Settings(k1=0))
    assert len(set((await scores(engine, index)).values())) == 1
    assert await bm25_settings(engine, index) == {index: Bm25Settings(k1=0)}
    await change_bm25_settings(engine, index, Bm25Settings())
    assert await scores(engine, index) == before


async def test_an_index_that_cannot_be_changed_stays_open(engine, index):
    with pytest.raises(IndexMissing):
        await change_bm25_settings(engine, "no-such-index", Bm25Settings(k1=0))
    impossible = Bm25Settings().model_copy(update={"b": 7.0})
    with pytest.raises(EngineError):
        await change_bm25_settings(engine, index, impossible)
    assert len(await scores(engine, index)) == 3


def hybridrank(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["hybridrank", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


async def _settings(url):
    engine = await connect_engine(url)
    try:
        return (await bm25_settings(engine, "menu-*")).values()
    finally:
        await engine.close()


def test_tuning_bm25_on_a_server_agrees_with_evaluate(tmp_path, monkeypatch, engine_url, sidecar_address):
    """Values measured during tuning, each with other numbers and from memory, equal those of `evaluate`."""
    menu = write_menu(tmp_path / "menu")
    (menu / "qrels/dev.tsv").write_text("query-id\tcorpus-id\tscore\nq3\tcake\t1\nq3\tsoup\t2\nq3\tchai\t1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    where = ["--collection", menu, "--engine", engine_url, "--sidecar", sidecar_address]
    hybridrank(monkeypatch, "tune", *where, "--models", "none", "--trials", 5, "--json", "t.json", "--default", "bm25")
    attempts = json.loads((tmp_path / "t.json").read_text())["attempts"]
    counted = [each for each in attempts if "bm25" in each["configuration"]]
    assert len({json.dumps(each["configuration"]["bm25"]) for each in counted}) > 1
    (settings,) = asyncio.run(_settings(engine_url))
    assert settings == Bm25Settings()

    one = counted[-1]
    (tmp_path / "one.yaml").write_text(json.dumps(one["configuration"]))
    numbers = one["configuration"]["bm25"]
    hybridrank(
        monkeypatch, "index", "bm25", "menu-*", "--engine", engine_url, "--k1", numbers["k1"], "--b", numbers["b"]
    )
    flags = ["--split", "dev", "--pipelines", "bm25", "--config", "one.yaml", "--json", "e.json"]
    hybridrank(monkeypatch, "evaluate", *where, *flags)
    measured = json.loads((tmp_path / "e.json").read_text())["pipelines"]["one"]["ndcg@10"]
    assert measured == pytest.approx(one["mean"])
