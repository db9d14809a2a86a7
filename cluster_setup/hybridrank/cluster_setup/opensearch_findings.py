"""Diagnoses problems between OpenSearch's own pipelines and a sidecar from the answers of the cluster. Pure."""

from collections.abc import Iterator
from typing import Any

from hybridrank.cluster_setup.findings import Finding
from hybridrank.cluster_setup.opensearch_facts import Facts, Remote
from hybridrank.index_templates.ml_commons import EMBEDDINGS_PATH, RERANK_PATH
from hybridrank.index_templates.ml_settings import PRIVATE_IP, TRUSTED, is_trusted

__all__ = ["findings"]

ROLES = "plugins.ml_commons.task_dispatcher.eligible_node_role.remote_model"
ONLY_ML = "plugins.ml_commons.only_run_on_ml_node"
_AGAIN = "run `hybridrank setup opensearch` again"
# Phrases of ml-commons or the sidecar, in lower case, and the advice for each.
_ADVICE = (
    (
        ("unauthenticated", "http 401"),
        f"the sidecar wants a key, or another: put it into HYBRIDRANK_CLIENT_API_KEY and {_AGAIN}",
    ),
    (("private ip",), f"set {PRIVATE_IP} to true, or {_AGAIN}"),
    (("eligible node",), f"no node may run remote models: see {ROLES}"),
    (("deploy the model first",), f"{_AGAIN}, or POST /_plugins/_ml/models/{{model}}/_deploy"),
    (
        ("certification path",),
        "the Java of the cluster's nodes does not know who signed the sidecar's certificate: put that authority in its"
        " trust store (-Djavax.net.ssl.trustStore in jvm.options, docs/opensearch.md)",
    ),
    (("throttling",), "the sidecar's queue is full: give it more cores, or start more of them (docs/sidecar.md)"),
    (("no model", "http 404"), f"{_AGAIN} with --reranker and --encoder as `hybridrank model list` tells them"),
)
_UNREACHABLE = "see that the sidecar runs (GET /readyz) and that the cluster's nodes reach it at this address"


def findings(facts: Facts, sidecar: str) -> Iterator[Finding]:
    """Yields problems, each with its fix, and one line for each working part."""
    if TRUSTED not in facts.settings:
        lack = "this OpenSearch lacks the plugin, without which its pipelines reach no sidecar"
        yield Finding("ml-commons", "problem", lack, "install opensearch-ml on its nodes, or use the library")
        return
    if not facts.remotes:
        yield Finding(
            "ml-commons",
            "note",
            "no model leads to a sidecar",
            "`hybridrank setup opensearch` makes them, and pipelines",
        )
    yield from _settings(facts, sidecar)
    for remote in facts.remotes:
        yield _remote(facts, remote)
    if facts.index:
        yield from _index(facts)
    yield from _searches(facts)


def _settings(facts: Facts, sidecar: str) -> Iterator[Finding]:
    paths = [f"{sidecar.rstrip('/')}{path}" for path in (RERANK_PATH, EMBEDDINGS_PATH) if sidecar]
    for url in dict.fromkeys([*paths, *(each.url for each in facts.remotes)]):
        if not is_trusted(url, facts.settings[TRUSTED]):
            yield Finding(
                f"setting {TRUSTED}",
                "problem",
                f"no pattern matches the whole of {url}",
                f"{_AGAIN}, or add a pattern that ends in /.*$: ml-commons refuses to make or change such a connector",
            )
    if facts.private and not _is_true(facts.settings.get(PRIVATE_IP)):
        yield Finding(
            f"setting {PRIVATE_IP}",
            "problem",
            f"{', '.join(sorted(facts.private))} is a private address, which ml-commons refuses as it deploys",
            f"{_AGAIN}, or set it to true",
        )
    roles = set(facts.settings.get(ROLES, ("ml",) if _is_true(facts.settings.get(ONLY_ML)) else ("data", "ml")))
    if not any(node & roles for node in facts.node_roles):
        name = ROLES if ROLES in facts.settings else ONLY_ML
        yield Finding(
            f"setting {name}",
            "problem",
            f"remote models run on nodes with a role of {', '.join(sorted(roles))} only, and there is none",
            f"set {name} to {'[data, ml]' if name == ROLES else 'false'}, or add such a node",
        )


def _remote(facts: Facts, remote: Remote) -> Finding:
    subject, error = f"model {remote.name}", remote.error
    if error:
        return Finding(subject, "problem", f"{remote.url}: {error}", _advice(error, remote.id))
    if remote.dimensions and facts.dimensions and remote.dimensions != facts.dimensions:
        return Finding(
            subject,
            "problem",
            f"its vectors have {remote.dimensions} dimensions, field vector of {facts.index} has {facts.dimensions}",
            "index into a new name (setup --index), or set up with the encoder that made the index (--encoder)",
        )
    # A model that answered is deployed, even if ml-commons, some seconds late, reports another state.
    return Finding(subject, "ok", f"answers through {remote.url}")


def _advice(error: str, model: str) -> str:
    """Returns the advice for an error text of ml-commons."""
    known = (advice for words, advice in _ADVICE if any(each in error.lower() for each in words))
    return next(known, _UNREACHABLE).replace("{model}", model)


def _index(facts: Facts) -> Iterator[Finding]:
    subject, processors = f"index {facts.index}", facts.pipelines.get(facts.default_pipeline, {})
    if facts.dimensions is None:
        yield Finding(subject, "problem", "has no vector field", "`hybridrank setup opensearch --index NEW` makes one")
    if not processors.get("phase_results_processors"):
        yield Finding(
            subject,
            "note",
            f"its default search pipeline {facts.default_pipeline or '(none)'} fuses nothing: hybrid queries"
            " that name none come back with delimiters for hits, scores below -4e9",
            "set index.search.default_pipeline to hybridrank-rrf, or name a pipeline in every request",
        )
    if any("oversample" in each for each in processors.get("request_processors", ())):
        yield Finding(
            subject,
            "note",
            f"its default search pipeline {facts.default_pipeline} fetches several pages for every search",
            "make hybridrank-rrf the default, and name the other where it is wanted",
        )


def _searches(facts: Facts) -> Iterator[Finding]:
    for pipeline, (failed, every) in sorted(facts.rerank_failures.items()):
        if failed:
            yield Finding(
                f"search pipeline {pipeline}",
                "note",
                f"{failed} of {every} searches came back as they were fused, since reranking failed",
                "no ext.rerank in the request, track_total_hits false, or too slow a sidecar (setup --timeout-s)",
            )
    counts = facts.hybrid_queries
    if (unfused := counts.get("hybrid", 0) - counts.get("fused", 0)) > 0:
        yield Finding(
            "hybrid queries", "note", f"{unfused} of {counts['hybrid']} went through no pipeline", "name one in each"
        )
    if (plain := counts.get("enriched", 0) - counts.get("fused", 0)) > 0:
        yield Finding(
            "search pipelines",
            "note",
            f"{plain} of {counts['enriched']} searches through them were no hybrid query: nothing was fused",
            "put the queries into `hybrid`, at the top of the query",
        )


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"
