"""Sparse vectors on real servers: the ranking of NumPy, within the rounding of their weights."""

import uuid
from types import SimpleNamespace

import pytest

from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.elasticsearch.dialect import ELASTICSEARCH
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.queries.retrievers import Dialect
from tests.contracts.passages import bm25, ids
from tests.contracts.sparse import SparseContract, sparse


class ServerSparseContract(SparseContract):
    @pytest.fixture
    def index(self):
        return f"test-sparse-{uuid.uuid4().hex[:12]}"


class TestOpenSearch(ServerSparseContract):
    @pytest.fixture
    async def engine(self, opensearch_url):
        engine = OpenSearchEngine(opensearch_url)
        yield engine
        await engine.close()


def _terms(query):
    """The query that `sparse_vector` becomes inside the server."""
    return {"bool": {"should": [_term(query.field, token, weight) for token, weight in query.weights.items()]}}


def _term(field, token, weight):
    return {"term": {field: {"value": token, "boost": weight}}}


class TestElasticsearch(ServerSparseContract):
    """A build without x-pack has the field and not the query, which runs as its terms there."""

    @pytest.fixture
    async def engine(self, elasticsearch_url):
        engine = ElasticsearchEngine(elasticsearch_url)
        yield engine
        await engine.close()

    async def found(self, engine, index, query):
        try:
            return await super().found(engine, index, query)
        except EngineError as error:
            if error.status != 400 or "unknown query [sparse_vector]" not in str(error):
                raise
        body = query.body(Dialect("elasticsearch", ELASTICSEARCH.knn, _terms))
        body["_source"] = {"excludes": ["sparse_vector"]}
        hits = (await engine.request("POST", f"/{index}/_search", body))["hits"]["hits"]
        return tuple(SimpleNamespace(doc_id=hit["_id"], score=hit["_score"], source=hit["_source"]) for hit in hits)

    async def test_a_server_without_the_query_says_so(self, with_sparse, index):
        if "x-pack-core" in str(await with_sparse.request("GET", "/_nodes/plugins")):
            pytest.skip("this build has x-pack")
        with pytest.raises(EngineError, match=r"unknown query \[sparse_vector\]"):
            await with_sparse.retrieve(index, {"sparse": sparse()})
        both = await with_sparse.retrieve(index, {"bm25": bm25("d01"), "sparse": sparse()})
        assert isinstance(both["sparse"], EngineError)
        assert ids(both["bm25"].ranking) == ["d01"]
