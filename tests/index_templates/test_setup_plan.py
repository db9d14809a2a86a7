"""Requirements of setup for an OpenSearch cluster, and the steps there and back, on a small model of the cluster."""

import json

from hybridrank.index_templates import dimensions_of
from hybridrank.index_templates.ml_commons import (
    API_KEY,
    MODELS,
    QUERY_ENCODER,
    RERANKER,
    HttpSidecar,
    connectors,
    key_digest,
)
from hybridrank.index_templates.pipelines import embed, rerank, search_template
from hybridrank.index_templates.setup_parts import INGEST_PIPELINE, RERANK_PIPELINE, IndexWish, parts
from hybridrank.index_templates.setup_plan import Found, plan, plan_removal, reference, resolved

SIDECAR = HttpSidecar("http://sidecar:8080")
INDEX = IndexWish("docs", 384)


def wanted(sidecar=SIDECAR, *, text_fields=("title", "text"), index=INDEX):
    return parts(sidecar, text_fields=text_fields, score_field="score", index=index)


def carried_out(steps, found=()):
    """The cluster after the steps; ids are `id-` and the name, and what a step refers to must be there by then."""
    there = {(each.kind, each.name): each for each in found}
    for step in steps:
        key = step.kind, step.name
        if step.action == "remove":
            there.pop(key, None)  # a model is undeployed whatever state it is said to be in
            continue
        known = {reference(each.kind, each.name): each.id for each in there.values()}
        body = resolved(step.body, known)
        assert "<id of" not in json.dumps(body), f"{key} comes before what it needs"
        there[key] = Found(step.kind, step.name, {**body, "added_by_the_server": 1}, f"id-{step.name}")
    return tuple(there.values())


def test_an_empty_cluster_gets_all_and_a_second_run_is_a_no_op():
    steps = plan(wanted(), ())
    assert {step.action for step in steps} == {"create"}
    assert len(steps) == 3 * len(MODELS) + 1 + 1 + 4 + 1 + 1
    found = carried_out(steps)
    assert plan(wanted(), found) == ()
    assert carried_out(plan_removal(found, {}), found) == ()


def test_a_plan_shows_lines_of_a_diff_and_no_key():
    steps = plan(wanted(HttpSidecar("http://sidecar:8080", key_digest=key_digest("s3cret-s3cret-s3cret"))), ())
    assert "s3cret" not in repr(steps)
    pipeline = next(step for step in steps if step.name == RERANK_PIPELINE)
    model = reference("model", RERANKER)
    assert f"+response_processors[0].rerank.ml_opensearch.model_id = {model}" in pipeline.changes
    assert not any(API_KEY in line for step in steps for line in step.changes)


def test_models_are_undeployed_while_their_connectors_change():
    found = carried_out(plan(wanted(), ()))
    steps = plan(wanted(HttpSidecar("http://sidecar:9090")), found)
    assert [(step.action, step.kind) for step in steps] == [
        *[("remove", "deployment")] * 3,
        *[("change", "connector")] * 3,
        *[("create", "deployment")] * 3,
    ]
    assert all(any("9090" in line for line in step.changes) for step in steps if step.kind == "connector")
    assert plan(wanted(HttpSidecar("http://sidecar:9090")), carried_out(steps, found)) == ()


def test_another_key_shows_as_a_change_of_the_connectors_alone():
    found = carried_out(plan(wanted(), ()))
    steps = plan(wanted(HttpSidecar("http://sidecar:8080", key_digest=key_digest("k" * 16))), found)
    assert {step.kind for step in steps if step.action == "change"} == {"connector"}
    assert key_digest("k" * 16) != key_digest("l" * 16)


def test_only_a_model_that_is_not_deployed_is_deployed():
    found = [each for each in carried_out(plan(wanted(), ())) if (each.kind, each.name) != ("deployment", RERANKER)]
    (step,) = plan(wanted(), found)
    assert (step.action, step.kind, step.name) == ("create", "deployment", RERANKER)


def test_a_deleted_connector_is_recreated_and_its_model_updated():
    found = [each for each in carried_out(plan(wanted(), ())) if (each.kind, each.name) != ("connector", RERANKER)]
    steps = plan(wanted(), found)
    assert [(step.action, step.kind) for step in steps] == [
        ("remove", "deployment"),
        ("create", "connector"),
        ("change", "model"),
        ("create", "deployment"),
    ]
    carried_out(steps, found)


def test_settings_are_restored_late_and_the_record_removed_last():
    setting = Found("cluster setting", "trusted", {"value": ["a", "b"]}, "trusted")
    record = Found("record of settings", "hybridrank-setup", {}, "hybridrank-setup")
    steps = plan_removal((record, setting, *carried_out(plan(wanted(), ()))), {"trusted": None})
    assert [step.kind for step in steps[-2:]] == ["cluster setting", "record of settings"]
    assert steps[-2].body == {"value": None}
    assert steps[-2].changes == ("-value[0] = a", "-value[1] = b")
    assert steps[len(MODELS)].kind == "index template"


def test_two_connectors_of_one_name_are_both_removed():
    twice = [Found("connector", RERANKER, {}, each) for each in ("a", "b")]
    assert [step.id for step in plan_removal(twice, {})] == ["a", "b"]


def test_connectors_tell_the_sidecar_how_long_they_wait():
    for body in connectors(SIDECAR).values():
        (action,) = body["actions"]
        assert action["headers"]["x-timeout-ms"] == f"{body['client_config']['read_timeout']}000"
        assert isinstance(body["client_config"]["read_timeout"], int)
        assert body["credential"] == {"key": API_KEY}
        request = action["request_body"].replace("${parameters.documents}", "[]").replace("${parameters.input}", "[]")
        assert json.loads(request)["model"] == "${parameters.model}"


def test_queries_and_documents_are_encoded_as_what_they_are():
    kinds = {name: body["actions"][0]["request_body"] for name, body in connectors(SIDECAR).items()}
    assert '"input_type": "query"' in kinds[QUERY_ENCODER]
    assert sum('"input_type": "document"' in each for each in kinds.values()) == 1


def test_the_window_is_cut_back_to_the_page_after_reranking():
    body = rerank("E", "R")
    assert body["request_processors"][0] == {"oversample": {"sample_factor": 5}}
    assert [next(iter(each)) for each in body["response_processors"]] == ["rerank", "truncate_hits"]
    assert body["response_processors"][0]["rerank"]["ignore_failure"] is True


def test_the_index_template_embeds_on_write():
    template = next(part for part in wanted() if part.kind == "index template")
    properties = template.body["template"]["mappings"]["properties"]
    assert template.body["index_patterns"] == ["docs"]
    assert dimensions_of("opensearch", properties) == 384
    assert properties["passage"] == {"type": "text", "index": False}
    assert template.body["template"]["settings"]["index"]["default_pipeline"] == INGEST_PIPELINE
    processors = embed("E", ("name",))["processors"]
    assert processors[0]["script"]["params"] == {"fields": ["name"], "passage": "passage", "separator": "\n"}


def test_the_search_template_is_json_once_it_is_filled_in():
    source = search_template(("name",))["script"]["source"]
    filled = source.replace("{{size}}{{^size}}10{{/size}}", "10").replace("{{query_text}}", "tea")
    before, _, after = filled.partition("{{#filter}}")
    body = json.loads(before + after.partition("{{/filter}}")[2])
    assert body["size"] == 10
    assert body["query"]["hybrid"]["queries"][0]["multi_match"]["fields"] == ["name"]
    assert body["ext"]["rerank"]["query_context"]["query_text"] == "tea"


def test_an_index_keeps_a_default_pipeline_that_is_not_ours():
    used = Found("default pipeline", "docs", {"index.default_pipeline": INGEST_PIPELINE}, "docs")
    (step,) = plan_removal((used,), {})
    assert (step.name, step.body) == ("docs", {"index.default_pipeline": None})
