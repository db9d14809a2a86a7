"""An alias that moves to another index under searches: none fails, and each sees one index or the other."""

import asyncio
import json
import uuid

import pytest
from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.connector import HybridSearch, SearchRequest, Term, connect_engine
from hybridrank.connector.admin.aliases import plan_swap
from hybridrank.connector.errors import EngineError, IndexMissing
from hybridrank.connector.types import Document
from tests.contracts.passages import DEFINITION, PASSAGES


@pytest.fixture
async def engine(engine_url):
    engine = await connect_engine(engine_url)
    yield engine
    await engine.close()


@pytest.fixture
async def name(engine):
    """The beginning of the names that a test uses; what they stand for is removed."""
    name = f"swap-{uuid.uuid4().hex[:12]}"
    yield name
    for index in await engine.request("GET", f"/{name}*"):
        await engine.delete_index(index)


async def filled(engine, index: str, edition: str, passages=PASSAGES) -> str:
    await engine.create_index(index, DEFINITION)
    documents = [Document(each.doc_id, each.source | {"edition": edition}, each.vector) for each in passages]
    assert (await engine.index_documents(index, documents)).rejected == ()
    await engine.refresh(index)
    return index


async def swap(engine, *arguments: str, expect: int = 0) -> str:
    """Returns the output of `hybridrank index swap` on both streams."""
    done = await asyncio.to_thread(CliRunner().invoke, app, ["index", "swap", *arguments, "--engine", engine.url])
    assert done.exit_code == expect, done.output
    return done.output


async def editions(engine, alias: str, **changes) -> set[str]:
    """Returns the editions that a hybrid search through the alias finds; nothing may be left out."""
    request = SearchRequest(index=alias, query_text="hot tea", query_vector=(1.0, 0.2, 0.0), **changes)
    response = await HybridSearch(engine).search(request)
    assert response.degraded == ()
    assert len(response.hits) == len(PASSAGES)
    return {hit.source["edition"] for hit in response.hits}


async def test_searches_continue_while_an_alias_is_swapped(engine, name):
    """Four callers all the while, the old index deleted after a second."""
    await filled(engine, f"{name}-v1", "old")
    await filled(engine, f"{name}-v2", "new")
    await swap(engine, name, f"{name}-v1")
    seen: list[set[str]] = []
    moved = asyncio.Event()

    async def searching() -> None:
        while not moved.is_set():
            seen.append(await editions(engine, name))

    async def moving() -> None:
        await asyncio.sleep(0.1)
        command = (name, f"{name}-v2", "--query", "vegetables", "--delete-old", "--grace-s", "1")
        assert f"{name}-v1: deleted" in await swap(engine, *command)
        moved.set()

    await asyncio.gather(moving(), *(searching() for _ in range(4)))
    assert await editions(engine, name) == {"new"}
    both = [found for found in seen if len(found) > 1]
    assert len(both) <= 4  # a search reads twice, by words and by vector, and the alias may move in between
    assert (seen[0], seen[-1]) == ({"old"}, {"new"})
    with pytest.raises(IndexMissing):
        await engine.request("GET", f"/{name}-v1")


async def test_an_unsafe_swap_is_refused_and_changes_nothing(engine, name):
    await filled(engine, f"{name}-v1", "old")
    await filled(engine, f"{name}-v2", "new", PASSAGES[:3])
    await swap(engine, name, f"{name}-v1")
    assert "3 documents, and 5 are searched" in await swap(engine, name, f"{name}-v2", expect=1)
    command = (name, f"{name}-v2", "--min-share", "0.5", "--query", "flour", "--query", "tea")
    assert "'flour' finds documents" in await swap(engine, *command, expect=1)
    await engine.create_index(f"{name}-v3", DEFINITION)
    assert "is empty" in await swap(engine, name, f"{name}-v3", "--min-share", "0.1", expect=1)
    with pytest.raises(EngineError, match="is itself an alias, of"):
        await plan_swap(engine, f"{name}-other", name)
    with pytest.raises(IndexMissing):
        await plan_swap(engine, name, f"{name}-v4")
    assert await editions(engine, name) == {"old"}
    report = json.loads(await swap(engine, name, f"{name}-v2", "--min-share", "0.5", "--dry-run", "--json"))
    assert (report["done"], report["documents"], report["documents_before"]) == (False, 3, 5)
    assert await editions(engine, name) == {"old"}
    assert "already" in await swap(engine, name, f"{name}-v1", "--delete-old")
    assert await editions(engine, name) == {"old"}


async def test_an_alias_takes_the_name_of_an_index_with_delete_old(engine, name):
    await filled(engine, name, "old")
    await filled(engine, f"{name}-v2", "new")
    assert "--delete-old deletes it" in await swap(engine, name, f"{name}-v2", expect=1)
    assert await editions(engine, name) == {"old"}
    await swap(engine, name, f"{name}-v2", "--delete-old")
    assert await editions(engine, name) == {"new"}


async def test_a_swap_keeps_filters_and_skips_an_alias_that_moved(engine, name):
    await filled(engine, f"{name}-v1", "old")
    await filled(engine, f"{name}-v2", "new")
    only = {"add": {"index": f"{name}-v1", "alias": name, "filter": {"term": {"kind": "drink"}}}}
    await engine.request("POST", "/_aliases", {"actions": [only]})
    plan = await plan_swap(engine, name, f"{name}-v2")
    assert (plan.documents_before, plan.documents) == (2, 2)
    await swap(engine, name, f"{name}-v2")
    request = SearchRequest(index=name, query_text="hot tea", query_vector=(1.0, 0.2, 0.0))
    assert {hit.doc_id for hit in (await HybridSearch(engine).search(request)).hits} == {"tea", "chai"}
    with pytest.raises(EngineError, match="missing"):
        await engine.request("POST", "/_aliases", {"actions": list(plan.actions)})


async def test_a_search_on_a_field_of_the_new_index_survives_the_swap(engine, name):
    """A process keeps the fields of the old index until a field does not fit."""
    await filled(engine, f"{name}-v1", "old")
    fresh = [Document("tea", {"title": "Tea", "text": "Hot tea", "edition": "new", "region": "Assam"}, (1.0, 0.0, 0.0))]
    await swap(engine, name, f"{name}-v1")
    assert await editions(engine, name) == {"old"}
    await engine.create_index(f"{name}-v2", DEFINITION)
    await engine.index_documents(f"{name}-v2", fresh)
    await engine.refresh(f"{name}-v2")
    noted = await swap(engine, name, f"{name}-v2", "--min-share", "0.1")
    assert "fields that the new index lacks: kind, price, since" in noted
    request = SearchRequest(
        index=name, query_text="tea", query_vector=(1.0, 0.0, 0.0), filters=(Term("region", "Assam"),)
    )
    assert [hit.doc_id for hit in (await HybridSearch(engine).search(request)).hits] == ["tea"]
