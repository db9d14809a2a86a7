"""BM25 on a real collection: the published figure, and the same on the embedded engine and on a server."""

from collections.abc import AsyncIterator

import pytest

from hybridrank.connector import HybridSearch
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.experiments.experiment import run_pipeline
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.evaluation.measures.standard import evaluate
from hybridrank.index_templates import IndexDefinition

INDEX = "scifact-bm25"
PUBLISHED = (0.66, 0.69)  # BEIR and Pyserini print .665 to .679 for title and text


@pytest.fixture
def scifact(collections) -> BeirFolder:
    return BeirFolder(collections / "scifact")


@pytest.fixture
async def opensearch(opensearch_url) -> AsyncIterator[OpenSearchEngine]:
    engine = OpenSearchEngine(opensearch_url, timeout_s=60)
    yield engine
    await engine.delete_index(INDEX)
    await engine.close()


async def ndcg(engine: Engine, scifact: BeirFolder) -> float:
    await engine.create_index(INDEX, IndexDefinition(dimensions=3))
    await engine.index_documents(INDEX, list(scifact.documents()))
    assert await engine.refresh(INDEX) == 5183
    qrels = scifact.qrels("test")
    queries = {query_id: text for query_id, text in scifact.queries().items() if query_id in qrels}
    run = await run_pipeline(HybridSearch(engine), parse_pipeline("bm25"), INDEX, queries, PipelineSettings())
    assert run.degraded == {}
    return evaluate(qrels, run.rankings).mean["ndcg@10"]


async def test_bm25_is_what_others_publish_and_the_same_on_a_server(scifact, opensearch, tmp_path):
    embedded = await ndcg(EmbeddedEngine(tmp_path), scifact)
    assert PUBLISHED[0] <= embedded <= PUBLISHED[1]
    assert await ndcg(opensearch, scifact) == pytest.approx(embedded, abs=0.015)
