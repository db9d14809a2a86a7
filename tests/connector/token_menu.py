"""A menu with token vectors: a real sidecar that records what it was sent, and an index."""

from hybridrank.connector import Rescore, SearchRequest, SidecarClient
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.connector.types import Document, DocumentKey

MODEL = "tiny-encoder"
MENU = [
    Document("tea", {"title": "Green tea", "text": "Leaves in hot water."}),
    Document("chai", {"title": "Chai", "text": "Tea with milk and spices."}),
    Document("soup", {"title": "Soup", "text": "Vegetables in hot water."}),
    Document("none", {"title": "", "text": "", "kind": "nothing but a kind"}),
]


class RecordingSidecar(SidecarClient):
    """A real client that keeps what it sent."""

    def __init__(self, address) -> None:
        super().__init__(address)
        self.sent: list[list[Passage]] = []
        self.asked: list[str] = []

    async def model(self, name, **asked):
        self.asked.append(name)
        return await super().model(name, **asked)

    async def rescore(self, query_text, passages, **asked):
        self.sent.append(list(passages))
        return await super().rescore(query_text, passages, **asked)


async def indexed(engine, sidecar, tmp_path, token_vectors, documents=MENU, index="menu"):
    cache = VectorCache(tmp_path / "vectors.sqlite3")
    return await index_documents(
        engine, sidecar, index, documents, cache=cache, model=MODEL, token_vectors=token_vectors, colbert=MODEL
    )


async def forget_note(engine, index="menu") -> None:
    """Makes the index one of an earlier release, which noted no token vectors."""
    with engine._open(index) as database:
        database.execute("UPDATE definition SET body = json_remove(body, '$.token_vectors')")
    await engine.refresh(index)


def request(**changes) -> SearchRequest:
    strict = changes.pop("strict", False)
    stage = {"model": MODEL, "weight": 1.0, "timeout_s": 30.0, "token_vectors": True} | changes
    return SearchRequest(
        index="menu",
        query_text="hot tea with milk",
        retrievers=("bm25",),
        rescore=Rescore.model_validate(stage),
        strict=strict,
    )


def menu(*doc_ids: str) -> list[DocumentKey]:
    return [DocumentKey("menu", doc_id) for doc_id in doc_ids]
