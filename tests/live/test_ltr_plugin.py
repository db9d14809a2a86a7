"""Our feature sets and forests in an LTR plugin, imitated on real servers that lack it.

The plugin's features are the scores of templates, which any server computes once the words are filled in; its trees
are read by the rules of its parser. Together they must rank as LightGBM does with the features that we extract.
"""

import json
import uuid

import numpy as np
import pytest
from typer.testing import CliRunner

from hybridrank import index_templates
from hybridrank.cli.app import app
from hybridrank.connector import connect_engine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.queries.documents import among
from hybridrank.connector.types import DocumentKey
from hybridrank.ltr_features import Among, CandidateFacts, FeatureQuery, matrix
from hybridrank.ltr_features.sltr import feature_set_body, log_body, logged
from hybridrank.training.ltr.dataset import RankingData
from hybridrank.training.ltr.exports import export
from hybridrank.training.ltr.train import TrainingOptions, train
from tests.contracts.passages import DEFINITION, feature_set
from tests.live.test_lambdamart import QUERIES, documents
from tests.sidecar.forests import write_forest
from tests.training.ltr.data import NAMES
from tests.training.ltr.test_exports import xgboost_score

FEATURES = feature_set(
    title={"kind": "bm25", "fields": ["title"]},
    text={"kind": "bm25", "fields": ["title", "text"], "combine": "best"},
    price={"kind": "number", "field": "price", "transform": {"function": "log1p"}},
    age={"kind": "phrase", "field": "text", "slop": 2},
    noise={"kind": "proximity", "field": "text"},
)
assert FEATURES.names == NAMES  # which the reader of trees knows
DOCUMENTS = documents(60)
DOC_IDS = [each.doc_id for each in DOCUMENTS]


@pytest.fixture
async def engine(engine_url):
    engine = await connect_engine(engine_url)
    yield engine
    await engine.close()


@pytest.fixture
async def index(engine):
    name = f"test-{uuid.uuid4().hex[:12]}"
    body = index_templates.render(engine.name, name, await engine._fitting(DEFINITION))
    await engine.request("PUT", f"/_index_template/hybridrank-{name}", body)
    await engine.request("PUT", f"/{name}", {})
    assert (await engine.index_documents(name, DOCUMENTS)).rejected == ()
    await engine.refresh(name)
    yield name
    await engine.delete_index(name)


def keys(index):
    return [DocumentKey(index, doc_id) for doc_id in DOC_IDS]


async def as_the_plugin(engine, index, query_text):
    """The answer to a `log_body`: each template, its words filled in, scored for the documents of the body's filter."""
    asked = log_body(FEATURES, query_text, Among(among(keys(index)), len(DOC_IDS)))["query"]["bool"]["filter"]
    log = {doc_id: [] for doc_id in DOC_IDS}
    for feature in feature_set_body(FEATURES)["featureset"]["features"]:
        query = json.loads(json.dumps(feature["template"]).replace("{{keywords}}", query_text))
        body = {"query": {"bool": {"must": [query], "filter": asked[:1]}}, "size": len(DOC_IDS), "_source": False}
        answer = await engine.request("POST", f"/{index}/_search", body)
        for hit in answer["hits"]["hits"]:
            log[hit["_id"]].append({"name": feature["name"], "value": hit["_score"]})
    hits = [{"_index": index, "_id": each, "fields": {"_ltrlog": [{"log": log[each]}]}} for each in DOC_IDS]
    return {"hits": {"hits": hits}}


async def test_the_plugin_would_rank_as_lightgbm_does(engine, index):
    facts = [CandidateFacts(doc_id, {}, 1, 0.0, index=index) for doc_id in DOC_IDS]
    ours, plugins = [], []
    for query_text in QUERIES:
        query = FeatureQuery(query_text)
        ours += matrix(FEATURES, query, facts, await engine.extract(index, FEATURES, query, keys(index)))
        plugins += logged(FEATURES, keys(index), await as_the_plugin(engine, index, query_text))
    ours, plugins = np.array(ours), np.array(plugins)
    known = ~np.isnan(ours)
    assert not known.all()
    assert known.any(axis=0).all()
    np.testing.assert_allclose(plugins[known], ours[known], rtol=1e-6)
    assert (plugins[~known] == 0).all()

    grades = np.digitize(np.nan_to_num(ours[:, 0]) - np.nan_to_num(ours[:, 2]) / 4, [-0.8, -0.2, 0.5])
    sizes = (len(DOC_IDS),) * len(QUERIES)
    data = RankingData(ours, grades.astype(np.int64), QUERIES, sizes, tuple(DOC_IDS) * len(QUERIES))
    options = TrainingOptions(max_trees=30, min_data_in_leaf=5, threads=1, missing_as_zero=True)
    booster = train(data, FEATURES.names, options)
    trees = json.loads(export(booster, "xgboost"))
    scores = [xgboost_score(trees, row) for row in plugins.astype(np.float32)]
    assert len(set(scores)) > 10
    np.testing.assert_allclose(scores, booster.predict(np.nan_to_num(ours)), rtol=1e-6, atol=1e-9)


def test_a_real_server_without_the_plugin_is_told(engine_url, tmp_path):
    folder = write_forest(tmp_path / "shop", booster_text(), features=FEATURES).path
    done = CliRunner().invoke(app, ["ltr", "upload", str(folder), "--engine", engine_url])
    assert isinstance(done.exception, EngineError)
    assert str(done.exception).startswith("this cluster has no LTR plugin: install it on every node")


def booster_text() -> str:
    """A forest of the features that is not asked anything."""
    random = np.random.default_rng(3)
    rows = random.normal(size=(200, len(FEATURES.names)))
    grades = (rows[:, 0] > 0).astype(np.int64)
    data = RankingData(rows, grades, ("a", "b"), (100, 100), tuple(map(str, range(200))))
    options = TrainingOptions(max_trees=2, threads=1, missing_as_zero=True)
    return train(data, FEATURES.names, options).model_to_string()
