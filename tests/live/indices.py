"""Indices of real servers that several tests search and none changes, and the words that they hold."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from hybridrank import index_templates
from hybridrank.connector import Document, connect_engine
from hybridrank.connector.engines.rest.engine import RestEngine
from tests.contracts.passages import DEFINITION

QUERIES = ("green tea with milk", "hot water", "a cup of milk", "sugar and spices", "water for green tea")
WORDS = ["tea", "green", "milk", "water", "hot", "sugar", "spices", "cup", "leaves", "cake", "flour", "eggs"]


def documents(count: int, *, seed: int = 5, shortest: int = 12, longest: int = 12) -> list[Document]:
    """Texts of these WORDS that grow with the number; a third without a price, a fifth without a vector."""
    random = Random(seed)
    made = []
    for number in range(count):
        words = min(longest, shortest + number)
        source = {"title": " ".join(random.sample(WORDS, 2)), "text": " ".join(random.choices(WORDS, k=words))}
        source |= {"price": random.randint(1, 90)} if number % 3 else {}
        vector = tuple(random.gauss(0, 1) for _ in range(3)) if number % 5 else None
        made.append(Document(f"d{number}", source, vector))
    return made


@contextmanager
def index_of(url: str, held: Sequence[Document], *, shards: int = 2, **properties: Any) -> Iterator[str]:
    """The name of an index with these documents, and with these properties besides, until the block ends."""
    name = f"test-{uuid.uuid4().hex[:12]}"

    async def make(engine: RestEngine) -> None:
        body = index_templates.render(engine.name, name, await engine._fitting(DEFINITION))
        body["template"]["settings"]["index"]["number_of_shards"] = shards
        body["template"]["mappings"]["properties"] |= properties
        await engine._send("PUT", f"/_index_template/hybridrank-{name}", body)
        await engine._send("PUT", f"/{name}", {})
        assert (await engine.index_documents(name, held)).rejected == ()
        await engine.refresh(name)

    async def connected(work) -> None:
        engine = await connect_engine(url)
        try:
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(connected(make))
    yield name
    asyncio.run(connected(lambda engine: engine.delete_index(name)))
