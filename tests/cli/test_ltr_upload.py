"""`hybridrank ltr upload` against a stand-in that takes and tells what the LTR plugin's pages document."""

import json
import re

import lightgbm
import numpy as np
import pytest
from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.connector.errors import EngineError
from hybridrank.ltr_features import FeatureSet
from hybridrank.ltr_features.sltr import NotInPlugin, feature_set_body
from hybridrank.training.ltr.errors import CannotExport
from tests.cli.standing_cluster import standing_cluster
from tests.sidecar.forests import write_forest

SHOP = FeatureSet.model_validate(
    {
        "name": "shop",
        "features": [
            {"name": "title", "kind": "bm25", "fields": ["title"]},
            {"name": "price", "kind": "number", "field": "price"},
        ],
    }
)


def forest(*, missing: bool, seed: int = 1) -> str:
    """Of two features; with `missing`, NaN goes another way than 0 somewhere."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(400, 2))
    grades = (rows[:, 0] - rows[:, 1] > 0).astype(int)
    if missing:
        rows[random.random(rows.shape) < 0.4] = np.nan
    options = {"objective": "lambdarank", "min_data_in_leaf": 5, "num_leaves": 6, "num_threads": 1, "verbosity": -1}
    data = lightgbm.Dataset(rows, grades, group=[20] * 20, feature_name=["title", "price"])
    return lightgbm.train(options, data, 5).model_to_string()


def refused(status: int, reason: str, kind: str = "illegal_argument_exception"):
    return status, {"error": {"type": kind, "reason": reason}, "status": status}


class Plugin:
    """The plugin's store: what is put is told again; models are not changed; what its parsers refuse is refused."""

    def __init__(self) -> None:
        self.stores: dict[str, dict] = {}
        self.sets: dict[str, list] = {}
        self.models: dict[str, dict] = {}

    def __call__(self, method: str, path: str, body):
        if path == "/_ltr" or not self.stores:
            return self._store(method, path)
        kind, name, create = re.fullmatch(r"/_ltr/_(featureset|model)/([^/]+)(/_createmodel)?", path).groups()
        if create:
            return self._create(name, body["model"])
        held = self.sets if kind == "featureset" else self.models
        if method in ("PUT", "POST"):
            return self._write(method, name, body)
        if name not in held:
            return 404, {"_index": ".ltrstore", "_id": f"{kind}-{name}", "found": False}
        if method == "DELETE":
            return 200, {"result": "deleted", "was": held.pop(name)}
        stored = {"name": name, "features": held[name]} if kind == "featureset" else held[name]
        return 200, {"found": True, "_source": {"name": name, "type": kind, kind: stored}}

    def _store(self, method, path):
        if path != "/_ltr":
            return refused(404, "no such index [.ltrstore]", "index_not_found_exception")
        if method == "PUT":
            self.stores["_default_"] = {"store": "_default_", "index": ".ltrstore", "version": 2, "counts": {}}
            return 200, {"acknowledged": True, "shards_acknowledged": True, "index": ".ltrstore"}
        return 200, {"stores": self.stores}

    def _write(self, method, name, body):
        if method == "PUT" and name in self.sets:
            return refused(409, "already exists", "version_conflict_engine_exception")
        if set(body) - {"featureset", "validation"} or body["featureset"]["name"] != name:
            return refused(400, "Name mismatch")
        known = {"name", "params", "template_language", "template"}
        if any(set(each) - known for each in body["featureset"]["features"]):
            return refused(400, "unknown field", "x_content_parse_exception")
        self.sets[name] = body["featureset"]["features"]
        return 201 if method == "PUT" else 200, {"result": "created"}

    def _create(self, set_name, model):
        if model["name"] in self.models:
            return refused(405, "are not updatable")
        features, trees = self.sets[set_name], model["model"]
        names = {each["name"] for each in features}
        if trees["type"] == "model/xgboost+json" and not _known(json.loads(trees["definition"]), names):
            return refused(400, "Unknown feature", "parsing_exception")
        stored = {"name": model["name"], "feature_set": {"name": set_name, "features": features}}
        self.models[model["name"]] = stored | {"model": trees | {"feature_normalizers": {}}}
        return 201, {"result": "created"}


def _known(nodes, names) -> bool:
    """As the plugin reads a tree: every split names a feature of the set, and `yes` is its first child."""
    for node in nodes:
        if "leaf" not in node:
            left, right = node["children"]
            if node["split"] not in names or (node["yes"], node["no"]) != (left["nodeid"], right["nodeid"]):
                return False
            if not _known(node["children"], names):
                return False
    return True


@pytest.fixture
def plugin():
    return Plugin()


@pytest.fixture
def cluster(plugin):
    with standing_cluster(plugin) as cluster:
        yield cluster


@pytest.fixture
def folder(tmp_path):
    return write_forest(tmp_path / "shop", forest(missing=False), features=SHOP, name="shop", version="3").path


def upload(cluster, folder, *flags, fails: type[Exception] | None = None) -> str:
    """The output of the command, or the message of the error that it ends with."""
    done = CliRunner().invoke(app, ["ltr", "upload", str(folder), "--engine", cluster.url, *flags])
    if fails:
        assert isinstance(done.exception, fails), done.output
        return str(done.exception)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_a_set_and_a_model_are_made_once(cluster, plugin, folder):
    said = upload(cluster, folder, "--dry-run")
    assert cluster.writes == []
    assert all(line in said for line in ("+ feature store _default_", "+ feature set shop", "+ LTR model shop-3"))

    said = upload(cluster, folder, "--index", "products")
    assert "done: rescore by the model shop-3" in said
    store, features, model = cluster.writes
    assert store == ("PUT", "/_ltr", None)
    tried = {"params": {"keywords": "a b"}, "index": "products"}
    assert features == ("PUT", "/_ltr/_featureset/shop", feature_set_body(SHOP) | {"validation": tried})
    assert model[:2] == ("POST", "/_ltr/_featureset/shop/_createmodel")
    assert model[2]["model"]["name"] == "shop-3"
    assert plugin.models["shop-3"]["model"]["type"] == "model/xgboost+json"

    cluster.requests.clear()
    assert upload(cluster, folder) == "nothing to change\n"
    assert cluster.writes == []


def test_another_model_of_the_name_is_replaced_only_when_asked(cluster, plugin, folder, tmp_path):
    upload(cluster, folder)
    first = plugin.models["shop-3"]
    other = write_forest(tmp_path / "o", forest(missing=False, seed=2), features=SHOP, name="shop", version="3").path
    assert "another model is called shop-3 there" in upload(cluster, other, fails=EngineError)
    assert plugin.models["shop-3"] is first
    upload(cluster, other, "--name", "shop-b")
    upload(cluster, other, "--replace")
    assert plugin.models["shop-3"]["model"] == plugin.models["shop-b"]["model"] != first["model"]


def test_a_set_that_somebody_changed_is_put_right(cluster, plugin, folder):
    upload(cluster, folder)
    plugin.sets["shop"] = plugin.sets["shop"][:1]
    cluster.requests.clear()
    said = upload(cluster, folder)
    assert [each[:2] for each in cluster.writes] == [("POST", "/_ltr/_featureset/shop")]
    assert "~ feature set shop" in said
    assert "features[1].name = price" in said


def test_ranklib_is_uploaded_as_such(cluster, plugin, folder):
    upload(cluster, folder, "--to", "ranklib")
    model = plugin.models["shop-3"]["model"]
    assert model["type"] == "model/ranklib"
    assert model["definition"].startswith("## LambdaMART")


def test_a_forest_that_knows_missing_values_is_refused(cluster, tmp_path):
    folder = write_forest(tmp_path / "shop", forest(missing=True), features=SHOP).path
    said = upload(cluster, folder, fails=CannotExport)
    assert re.search(r"another way than 0 when missing: (price|title).*Train with missing_as_zero", said)
    assert cluster.requests == []


def test_features_that_no_query_gives_are_named(cluster, tmp_path):
    clicks = {"name": "price", "kind": "request", "key": "clicks"}
    features = FeatureSet.model_validate({"name": "s", "features": [SHOP.features[0].model_dump(), clicks]})
    folder = write_forest(tmp_path / "shop", forest(missing=False), features=features).path
    assert "cannot compute price (request)" in upload(cluster, folder, fails=NotInPlugin)
    assert cluster.requests == []


def test_a_cluster_without_the_plugin_is_told(folder):
    with standing_cluster(lambda *_: refused(400, "Invalid index name [_ltr], must not start with '_'")) as cluster:
        assert "this cluster has no LTR plugin" in upload(cluster, folder, fails=EngineError)
    assert cluster.writes == []


def test_a_missing_permission_is_not_taken_for_a_missing_plugin(folder):
    with standing_cluster(lambda *_: refused(403, "no permissions", "security_exception")) as cluster:
        assert "HTTP 403: no permissions" in upload(cluster, folder, fails=EngineError)


def test_a_failed_upload_reports_the_servers_error(folder):
    def full(method, *_):
        return (200, {"stores": {}}) if method == "GET" else refused(429, "memory circuit is broken")

    with standing_cluster(full) as cluster:
        assert "memory circuit is broken" in upload(cluster, folder, fails=EngineError)
