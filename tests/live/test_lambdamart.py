"""LambdaMART on real servers with two shards: what a search asks of them, and that training sees what serving sees."""

import math

import lightgbm
import numpy as np
import pytest

from hybridrank.connector import FeatureLog, FeatureRescore, HybridSearch, SearchRequest, SidecarClient, connect_engine
from hybridrank.connector.stages.feature_log import read_feature_log
from hybridrank.ltr_features import FeatureSet
from hybridrank.sidecar.models.loading import load
from tests.contracts.passages import feature_set
from tests.live.indices import QUERIES, documents, index_of
from tests.live.recording_proxy import recording_proxy
from tests.sidecar.forests import write_forest
from tests.sidecar.serving import serving

FEATURES = feature_set(
    title={"kind": "bm25", "fields": ["title"]},
    both={"kind": "bm25", "fields": ["title", "text"], "combine": "best"},
    phrase={"kind": "phrase", "field": "text", "slop": 2},
    near={"kind": "proximity", "field": "text"},
    share={"kind": "coverage", "field": "text"},
    idf={"kind": "idf", "field": "text"},
    cosine={"kind": "vector_similarity", "field": "vector"},
    price={"kind": "number", "field": "price", "transform": {"function": "log1p"}},
    words={"kind": "field_length", "field": "text"},
    asked={"kind": "query_length"},
    bm25={"kind": "retriever", "retriever": "bm25"},
    unseen={"kind": "retriever", "retriever": "knn", "value_of": "missing"},
    fused={"kind": "fused", "value_of": "rank"},
    member={"kind": "request", "key": "member"},
)


@pytest.fixture
async def engine(engine_url):
    """Behind a proxy that keeps what is sent, `engine.proxy`."""
    async with recording_proxy(engine_url) as proxy:
        engine = await connect_engine(proxy.url)
        engine.proxy = proxy
        yield engine
        await engine.close()


@pytest.fixture(scope="module")
def index(engine_url):
    with index_of(engine_url, documents(120)) as name:
        yield name


def request(index: str, number: int, **stage) -> SearchRequest:
    return SearchRequest(
        index=index,
        query_text=QUERIES[number],
        query_vector=(1.0, number - 2.0, 0.5),
        query_id=f"q{number}",
        size=100,
        rank_window_size=60,
        rescore=FeatureRescore(feature_set=FEATURES, timeout_s=30, request={"member": 1.0}, **stage),
    )


def rows(log: FeatureLog) -> dict[tuple[str, str], list[float]]:
    """Returns the logged rows, by query and document."""
    return {(each["query_id"], each["doc_id"]): [*each["features"].values()] for each in read_feature_log(log.folder)}


def bits(found: dict) -> dict:
    return {key: [value.hex() for value in row] for key, row in found.items()}


def train(found: dict[tuple[str, str], list[float]]) -> lightgbm.Booster:
    """A forest on what was logged, for grades that follow price and title."""
    values = np.array([*found.values()])
    grades = np.digitize(np.nan_to_num(values[:, 7]) + np.nan_to_num(values[:, 0]), [1.5, 3.0, 4.5])
    groups = [sum(query_id == each for query_id, _ in found) for each in dict.fromkeys(each for each, _ in found)]
    parameters = {"objective": "lambdarank", "num_leaves": 8, "min_data_in_leaf": 5, "num_threads": 1, "verbosity": -1}
    return lightgbm.train(parameters, lightgbm.Dataset(values, grades, group=groups), 20)


async def test_from_a_log_to_a_served_model(engine, index, tmp_path):
    """A search asks the engine twice; it computes what was logged, to the last bit; scores are LightGBM's own."""
    training = FeatureLog(tmp_path / "training")
    for number in range(len(QUERIES)):
        bystander = await HybridSearch(engine, feature_log=training).search(request(index, number))
        assert bystander.degraded == ()
    logged = rows(training)
    assert len(logged) > 200
    columns = dict(zip(FEATURES.names, zip(*logged.values(), strict=True), strict=True))
    known = {name: sum(not math.isnan(value) for value in column) for name, column in columns.items()}
    assert all(0 < known[name] < len(logged) for name in ("title", "phrase", "near", "price", "cosine", "bm25"))
    assert all(known[name] == len(logged) for name in ("share", "idf", "words", "asked", "unseen", "fused", "member"))

    booster = train(logged)
    model = write_forest(tmp_path / "forest", booster.model_to_string(), features=FEATURES)
    serving_log = FeatureLog(tmp_path / "serving")
    async with serving(load([model.path])) as served, SidecarClient(served.address) as sidecar:
        search = HybridSearch(engine, sidecar, feature_log=serving_log)
        for number in range(len(QUERIES)):
            engine.proxy.requests.clear()
            response = await search.search(request(index, number, model="forest"))
            assert response.degraded == ()
            (retrieve, features) = engine.proxy.requests
            assert (retrieve[0], retrieve[1].partition("?")[0], len(retrieve[2])) == ("POST", "/_msearch", 4)
            assert features[:2] == ("POST", f"/{index}/_search?include_named_queries_score=true")
            window = [hit for hit in response.hits if hit.rerank_score is not None]
            (among,) = features[2][0]["query"]["bool"]["filter"]
            of_index, ids = among["bool"]["filter"]
            assert of_index == {"term": {"_index": index}}
            assert set(ids["ids"]["values"]) == {hit.doc_id for hit in window}
            mine = [logged[f"q{number}", hit.doc_id] for hit in window]
            assert [hit.rerank_score for hit in window] == booster.predict(mine).tolist()
            assert [hit.score for hit in window] == sorted((hit.score for hit in window), reverse=True)
    assert bits(rows(serving_log)) == bits(logged)


async def test_a_model_refuses_the_rows_of_another_set(engine, index, tmp_path):
    other = FeatureSet(name="other", features=FEATURES.features[::-1])
    model = write_forest(
        tmp_path / "forest", features=feature_set(**{f"f{n}": {"kind": "query_length"} for n in range(6)})
    )
    async with serving(load([model.path])) as served, SidecarClient(served.address) as sidecar:
        response = await HybridSearch(engine, sidecar).search(
            request(index, 0, model="forest").model_copy(
                update={"rescore": FeatureRescore(model="forest", feature_set=other, timeout_s=30)}
            )
        )
    (lack,) = response.degraded
    assert lack.stage == "rescore"
    assert other.digest in lack.detail
    assert [hit.rank for hit in response.hits] == [hit.fused_rank for hit in response.hits]
