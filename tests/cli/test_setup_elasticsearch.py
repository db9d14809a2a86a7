"""`hybridrank setup elasticsearch` against a stand-in that takes and tells what the inference API documents."""

import json

import pytest
from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.connector.errors import EngineError
from tests.cli.standing_cluster import standing_cluster

KEY = "s3cret-s3cret-s3cret"
RERANKER, ENCODER = "rerank/hybridrank-reranker", "text_embedding/hybridrank-encoder"


class Inference:
    """Endpoints are told without their secrets, with what the server adds; one that is there is not made again."""

    def __init__(self, licence: str = "trial") -> None:
        self.licence = licence
        self.endpoints: dict[str, dict] = {}
        self.used: set[str] = set()

    def __call__(self, method, path, body):
        if path == "/_license":
            return 200, {"license": {"status": "active", "type": self.licence}}
        name = path.removeprefix("/_inference/")
        if method == "PUT":
            return self._put(name, body)
        if name not in self.endpoints:
            return 404, {"error": {"type": "resource_not_found_exception", "reason": f"[{name}] not found"}}
        if method == "DELETE":
            if name in self.used:
                return 409, {"error": {"type": "status_exception", "reason": "semantic_text fields in [docs] use it"}}
            del self.endpoints[name]
            return 200, {"acknowledged": True, "pipelines": []}
        return 200, {"endpoints": [self._told(name)]}

    def _put(self, name, body):
        if name in self.endpoints:
            return 400, {"error": {"type": "resource_already_exists_exception", "reason": "already exists"}}
        self.endpoints[name] = body
        return 200, self._told(name)

    def _told(self, name):
        body, (task, endpoint) = self.endpoints[name], name.split("/")
        hidden = {"secret_parameters", "api_key"} | ({"url"} if body["service"] == "cohere" else set())
        settings = {key: value for key, value in body["service_settings"].items() if key not in hidden}
        added = {"rate_limit": {"requests_per_minute": 10000}, "batch_size": 10}
        settings |= added | ({"dimensions": 384} if task == "text_embedding" else {})
        told = {"inference_id": endpoint, "task_type": task, "service": body["service"], "service_settings": settings}
        return told | ({"task_settings": body["task_settings"]} if "task_settings" in body else {})


@pytest.fixture
def inference():
    return Inference()


@pytest.fixture
def cluster(inference):
    with standing_cluster(inference, product="Elasticsearch", version="9.2.0") as cluster:
        yield cluster


def setup(cluster, *flags, fails: type[Exception] | None = None, key: str = "") -> str:
    """The output of the command, or the message of the error that it ends with. The key is in none of it."""
    line = ["setup", "elasticsearch", "--url", cluster.url, *flags]
    done = CliRunner().invoke(app, line, env={"HYBRIDRANK_CLIENT_API_KEY": key, "COLUMNS": "200"})
    said = done.output + str(done.exception or "")
    assert KEY not in said
    if fails:
        assert isinstance(done.exception, fails), said
    else:
        assert done.exit_code == 0, said
    return said


SIDECAR = ("--sidecar", "https://sidecar:8443")


def test_endpoints_are_made_once_and_taken_away(cluster, inference):
    said = setup(cluster, *SIDECAR, "--dry-run", key=KEY)
    assert f"+ inference endpoint {RERANKER}" in said
    assert f"+ inference endpoint {ENCODER}" in said
    assert "+service_settings.url = https://sidecar:8443/v1/rerank" in said
    assert cluster.writes == []

    assert "done: rerank by the endpoint hybridrank-reranker" in setup(cluster, *SIDECAR, key=KEY)
    assert [each[:2] for each in cluster.writes] == [("PUT", f"/_inference/{each}") for each in (RERANKER, ENCODER)]
    assert inference.endpoints[RERANKER]["service_settings"]["secret_parameters"] == {"api_key": KEY}

    cluster.requests.clear()
    assert setup(cluster, *SIDECAR, key=KEY) == "nothing to change\n"
    assert cluster.writes == []

    assert "--yes" in setup(cluster, "--remove", fails=SystemExit)
    steps = json.loads(setup(cluster, "--remove", "--yes", "--json"))
    assert [(each["action"], each["name"]) for each in steps] == [("remove", RERANKER), ("remove", ENCODER)]
    assert inference.endpoints == {}
    assert setup(cluster, "--remove", "--yes") == "nothing to change\n"


def test_only_what_differs_is_made_anew(cluster, inference):
    setup(cluster, *SIDECAR)
    assert inference.endpoints[RERANKER]["service_settings"]["secret_parameters"] == {"api_key": "none"}
    cluster.requests.clear()
    said = setup(cluster, *SIDECAR, "--reranker", "other")
    assert [each[:2] for each in cluster.writes] == [(does, f"/_inference/{RERANKER}") for does in ("DELETE", "PUT")]
    assert "~ inference endpoint" in said
    assert '"model": "other"' in said


def test_another_key_is_noticed(cluster, inference):
    setup(cluster, *SIDECAR)
    said = setup(cluster, *SIDECAR, key=KEY)
    assert "key_digest = none" in said
    assert inference.endpoints[ENCODER]["service_settings"]["secret_parameters"] == {"api_key": KEY}
    assert setup(cluster, *SIDECAR, key=KEY) == "nothing to change\n"


def test_an_endpoint_that_is_used_stays(cluster, inference):
    setup(cluster, *SIDECAR)
    inference.used.add(ENCODER)
    said = setup(cluster, *SIDECAR, "--encoder", "other", fails=EngineError)
    assert f"change inference endpoint {ENCODER}" in said
    assert "semantic_text fields in [docs] use it" in said
    assert ENCODER in inference.endpoints


def test_an_older_server_gets_a_reranker_by_the_cohere_service(inference):
    with standing_cluster(inference, product="Elasticsearch", version="8.17.4") as cluster:
        setup(cluster, *SIDECAR, key=KEY)
        assert setup(cluster, *SIDECAR, key=KEY) == "nothing to change\n"
    assert list(inference.endpoints) == [RERANKER]
    assert inference.endpoints[RERANKER]["service_settings"]["api_key"] == KEY


def test_without_the_licence_nothing_is_tried():
    with standing_cluster(Inference("basic"), product="Elasticsearch", version="9.2.0") as cluster:
        said = setup(cluster, *SIDECAR, fails=EngineError)
    assert "an inference endpoint wants an enterprise or trial licence, and this server's is 'basic'" in said
    assert cluster.writes == []


def test_wrong_options_are_refused_before_any_request(cluster):
    setup(cluster, fails=SystemExit)
    setup(cluster, "--sidecar", "http://sidecar:8080", key=KEY, fails=SystemExit)
    assert cluster.requests == []
    with standing_cluster(lambda *_: (404, {})) as other:
        assert "is not an Elasticsearch" in setup(other, *SIDECAR, fails=SystemExit)
