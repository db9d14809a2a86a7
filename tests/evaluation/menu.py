"""A small real collection: the passages of the engine contract, questions, judgments, and an index of them."""

import json
from pathlib import Path

from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition
from tests.contracts.passages import PASSAGES
from tests.doubles import WORDS, WordSidecar

QUERIES = {"q1": "hot tea with milk", "q2": "vegetables in water", "q3": "flour and sugar"}
QRELS = {"q1": {"chai": 2, "tea": 1}, "q2": {"soup": 1}}


async def menu_engine(folder: Path) -> EmbeddedEngine:
    """An embedded engine with the index `menu`."""
    engine = EmbeddedEngine(folder)
    await engine.create_index("menu", IndexDefinition(dimensions=len(WORDS)))
    texts = [f"{each.source['title']} {each.source['text']}" for each in PASSAGES]
    encodings = await WordSidecar().encode(texts, model="", kind="document", timeout_s=1)
    documents = [Document(a.doc_id, a.source, b.vector) for a, b in zip(PASSAGES, encodings, strict=True)]
    await engine.index_documents("menu", documents)
    await engine.refresh("menu")
    return engine


def write_menu(folder: Path) -> Path:
    """The same as a BEIR folder."""
    lines = [json.dumps({"_id": each.doc_id, **each.source}) for each in PASSAGES]
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    queries = [json.dumps({"_id": query_id, "text": text}) for query_id, text in QUERIES.items()]
    (folder / "queries.jsonl").write_text("\n".join(queries))
    rows = [f"{query_id}\t{doc_id}\t{grade}" for query_id, by_id in QRELS.items() for doc_id, grade in by_id.items()]
    (folder / "qrels/test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]))
    return folder
