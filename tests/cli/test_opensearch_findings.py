"""Each usual mistake between OpenSearch's pipelines and a sidecar is found, and nothing where there is none."""

from dataclasses import replace

import pytest

from hybridrank.cluster_setup.opensearch_facts import Facts, Remote
from hybridrank.cluster_setup.opensearch_findings import ONLY_ML, ROLES, findings
from hybridrank.index_templates.ml_settings import PRIVATE_IP, TRUSTED

SIDECAR = "http://10.0.0.7:8080"
RERANKER = Remote("hybridrank-reranker", "r", f"{SIDECAR}/v1/rerank")
ENCODER = Remote("hybridrank-query-encoder", "e", f"{SIDECAR}/v1/embeddings", dimensions=384)
FUSING = {"phase_results_processors": [{"score-ranker-processor": {}}]}
SOUND = Facts(
    settings={
        TRUSTED: [r"^https://api\.example/.*$", r"^http://10\.0\.0\.7:8080/.*$"],
        PRIVATE_IP: "true",
        ROLES: ["data", "ml"],
    },
    node_roles=(frozenset({"data", "ingest"}), frozenset({"cluster_manager"})),
    remotes=(RERANKER, ENCODER),
    private=frozenset({"10.0.0.7"}),
    index="docs",
    dimensions=384,
    default_pipeline="hybridrank-rrf",
    pipelines={"hybridrank-rrf": FUSING, "costly": FUSING | {"request_processors": [{"oversample": {}}]}, "empty": {}},
    rerank_failures={"hybridrank-rerank": (0, 9)},
    hybrid_queries={"hybrid": 9, "fused": 9, "enriched": 9},
)


def setting(**changed):
    return {"settings": {**SOUND.settings, **changed}}


def remote(which, **changed):
    return {"remotes": tuple(replace(each, **changed) if each is which else each for each in SOUND.remotes)}


def test_a_sound_cluster_has_nothing_but_ok():
    found = list(findings(SOUND, SIDECAR))
    assert [(each.subject, each.state) for each in found] == [
        ("model hybridrank-reranker", "ok"),
        ("model hybridrank-query-encoder", "ok"),
    ]


@pytest.mark.parametrize(
    ("changes", "state", "said", "advice"),
    [
        (setting(**{TRUSTED: [r"^http://10\.0\.0\.7:8080"]}), "problem", "matches the whole of", "/.*$"),
        (setting(**{PRIVATE_IP: "false"}), "problem", "10.0.0.7 is a private address", "true"),
        (setting(**{ROLES: ["ml"]}), "problem", "role of ml only", "[data, ml]"),
        ({"node_roles": (frozenset({"ingest"}),)}, "problem", "role of data, ml only", ROLES),
        (
            remote(RERANKER, error="HTTP 400: Model not ready yet. Please deploy the model first."),
            "problem",
            "not ready",
            "models/r/_deploy",
        ),
        (remote(ENCODER, error='HTTP 401: {"message":"unauthenticated"}'), "problem", "401", "CLIENT_API_KEY"),
        (
            remote(RERANKER, error="HTTP 400: Remote inference host name has private ip address: 10.0.0.7"),
            "problem",
            "private ip",
            PRIVATE_IP,
        ),
        (remote(RERANKER, error="HTTP 400: no eligible node to run predict request"), "problem", "eligible", ROLES),
        (
            remote(RERANKER, error="HTTP 400: PKIX path building failed: unable to find valid certification path"),
            "problem",
            "certification path",
            "trustStore",
        ),
        (remote(ENCODER, error="HTTP 429: denied due to remote server throttling"), "problem", "429", "queue is full"),
        (remote(RERANKER, error="HTTP 404: no model 'x'"), "problem", "no model 'x'", "--reranker"),
        (remote(RERANKER, error="HTTP 500: Connection refused"), "problem", "refused", "/readyz"),
        (remote(ENCODER, dimensions=768), "problem", "768 dimensions, field vector of docs has 384", "--index"),
        ({"dimensions": None}, "problem", "no vector field", "--index"),
        ({"default_pipeline": ""}, "note", "(none) fuses nothing", "hybridrank-rrf"),
        ({"default_pipeline": "empty"}, "note", "empty fuses nothing", "hybridrank-rrf"),
        ({"default_pipeline": "costly"}, "note", "several pages", "hybridrank-rrf"),
        ({"rerank_failures": {"hybridrank-rerank": (2, 9)}}, "note", "2 of 9", "ext.rerank"),
        ({"hybrid_queries": {"hybrid": 9, "fused": 6, "enriched": 6}}, "note", "3 of 9", "name one"),
        ({"hybrid_queries": {"hybrid": 5, "fused": 5, "enriched": 9}}, "note", "4 of 9", "`hybrid`"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_mistake_is_found_with_its_fix(changes, state, said, advice):
    wrong = [each for each in findings(replace(SOUND, **changes), SIDECAR) if each.state != "ok"]
    assert {each.state for each in wrong} == {state}
    assert any(said in each.detail and advice in each.advice for each in wrong), wrong


def test_only_run_on_ml_node_decides_before_opensearch_2_12():
    old = {name: value for name, value in SOUND.settings.items() if name != ROLES}
    (wrong,) = (
        each for each in findings(replace(SOUND, settings=old | {ONLY_ML: "true"}), SIDECAR) if each.state != "ok"
    )
    assert wrong.subject == f"setting {ONLY_ML}"
    assert all(each.state == "ok" for each in findings(replace(SOUND, settings=old | {ONLY_ML: "false"}), SIDECAR))


def test_a_missing_plugin_or_model_is_reported_with_a_remedy():
    (lack,) = findings(Facts(settings={}, node_roles=(), remotes=()), SIDECAR)
    assert "opensearch-ml" in lack.advice
    empty = replace(SOUND, remotes=(), private=frozenset(), index="")
    assert [(each.state, each.subject) for each in findings(empty, SIDECAR)] == [("note", "ml-commons")]
    other = list(findings(empty, "http://elsewhere:8080"))
    assert [each.state for each in other] == ["note", "problem", "problem"]
