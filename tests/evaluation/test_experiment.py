"""Pipelines run over a real embedded index, and what is made of their rankings."""

import json
from dataclasses import replace
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.connector import HybridSearch, Misconfigured
from hybridrank.connector.errors import SidecarTimeout
from hybridrank.evaluation.collections.beir import CollectionError
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.evaluation.experiments.experiment import WARM_UP_QUERIES, PipelineRun, run_pipeline
from hybridrank.evaluation.experiments.pipelines import STANDARD_PIPELINES, PipelineSettings, parse_pipeline
from hybridrank.evaluation.experiments.results import summarise
from hybridrank.evaluation.judging.pooling import pool
from hybridrank.evaluation.report.tables import (
    ReportTable,
    caption,
    cost_table,
    markdown,
    overlap_table,
    result_table,
    significance_table,
    win_loss_caption,
    win_loss_table,
)
from tests.doubles import BrokenSidecar, RecordingEngine, WordSidecar
from tests.evaluation.menu import QRELS, QUERIES, menu_engine

SETTINGS = PipelineSettings(size=4)


@pytest.fixture
async def engine(tmp_path):
    return await menu_engine(tmp_path)


async def test_every_query_is_ranked_and_timed_and_nothing_is_degraded(engine):
    done = []
    for name in STANDARD_PIPELINES:
        search = HybridSearch(engine, WordSidecar())
        run = await run_pipeline(
            search, parse_pipeline(name), "menu", QUERIES, SETTINGS, lambda name=name: done.append(name)
        )
        assert list(run.rankings) == list(run.latencies_ms) == list(QUERIES)
        assert "chai" in run.rankings["q1"][:2]
        assert all(len(set(doc_ids)) == len(doc_ids) <= 4 for doc_ids in run.rankings.values())
        assert min(run.latencies_ms.values()) > 0
        assert run.degraded == {}
        assert set(run.scored.values()) <= ({1, 2, 3, 4} if "+" in name else {0})
    assert done == [name for name in STANDARD_PIPELINES for _ in QUERIES]


async def test_a_misconfigured_experiment_ends_rather_than_degrading(engine):
    search, pipeline = HybridSearch(engine, WordSidecar()), parse_pipeline("rrf")
    wrong = replace(SETTINGS, fields={"titel": 1.0})
    with pytest.raises(Misconfigured, match="no field 'titel'"):
        await run_pipeline(search, pipeline, "menu", QUERIES, wrong)
    run = await run_pipeline(search, pipeline, "menu", QUERIES, replace(wrong, strict=False))
    assert run.degraded == dict.fromkeys(QUERIES, "bm25: bad_field")


async def test_a_document_that_two_models_score_counts_twice(engine):
    found = {}
    for name in ("rrf+words", "rrf+words+others"):
        search = HybridSearch(engine, WordSidecar())
        found[name] = (await run_pipeline(search, parse_pipeline(name), "menu", QUERIES, SETTINGS)).scored
    assert found == {"rrf+words": dict.fromkeys(QUERIES, 4), "rrf+words+others": dict.fromkeys(QUERIES, 8)}


async def test_the_first_queries_warm_up_before_timing(engine):
    recording = RecordingEngine(engine)
    queries = {f"q{place}": f"tea {place}" for place in range(WARM_UP_QUERIES + 2)}
    await run_pipeline(HybridSearch(recording), parse_pipeline("bm25"), "menu", queries, SETTINGS)
    texts = [each["bm25"].text for each in recording.queries]
    assert texts == [*list(queries.values())[:WARM_UP_QUERIES], *queries.values()]


async def test_degraded_answers_are_kept_and_their_reasons_noted(engine):
    sidecar = BrokenSidecar(SidecarTimeout("too slow"), rescoring=True)
    search = HybridSearch(engine, sidecar)
    plain = await run_pipeline(search, parse_pipeline("rrf"), "menu", QUERIES, SETTINGS)
    broken = await run_pipeline(search, parse_pipeline("rrf+words"), "menu", QUERIES, SETTINGS)
    assert broken.rankings == plain.rankings
    assert set(broken.scored.values()) == {0}
    assert broken.degraded == dict.fromkeys(QUERIES, "rescore: timeout")


RUNS = {
    "bm25": PipelineRun({"q1": ("soup", "tea"), "q2": ("soup",), "q3": ("cake",)}, {"q1": 1, "q2": 2, "q3": 9}, {}),
    "rrf": PipelineRun({"q1": ("chai",), "q2": ("tea", "soup"), "q3": ()}, {"q1": 4.0}, {"q2": "encode: timeout"}),
}  # fmt: skip


def test_a_result_by_hand():
    result = summarise(RUNS, {**QRELS, "q3": {"cake": 0}}, ["bm25"], {"python": "3.x"})
    ideal = 2 + 1 / log2(3)
    expected_bm25 = {"q1": (1 / log2(3)) / ideal, "q2": 1.0}
    expected_rrf = {"q1": 2 / ideal, "q2": 1 / log2(3)}
    document = json.loads(json.dumps(result.as_json()))
    assert document["python"] == "3.x"
    assert document["baseline"] == "bm25"
    bm25, rrf = document["pipelines"]["bm25"], document["pipelines"]["rrf"]
    assert {query_id: each["ndcg@10"] for query_id, each in bm25["per_query"].items()} == pytest.approx(expected_bm25)
    assert {query_id: each["ndcg@10"] for query_id, each in rrf["per_query"].items()} == pytest.approx(expected_rrf)
    assert rrf["ndcg@10"] == pytest.approx(sum(expected_rrf.values()) / 2)
    assert rrf["vs_bm25"]["delta"] == pytest.approx(rrf["ndcg@10"] - bm25["ndcg@10"])
    assert set(rrf["vs_bm25"]) == {"delta", "p", "p_t", "p_holm", "wins", "losses", "ties"}
    assert [rrf["vs_bm25"][each] for each in ("wins", "losses", "ties")] == [1, 1, 0]
    overlap = document["rbo"]["mean"]["bm25"][
        "rrf"
    ]  # q1 has nothing in common, q2 goes on where bm25 agrees from rank 2
    assert document["rbo"]["p"] == 0.9
    assert overlap == pytest.approx((0 + 0.1 * 0.9 * 1 / 2 + 0.81 * 1 / 2) / 2)
    assert "vs_bm25" not in bm25
    assert (bm25["ms_p50"], bm25["ms_p95"]) == (2.0, pytest.approx(8.3))
    assert (bm25["degraded"], rrf["degraded"]) == (0, 1)
    measures = {"ndcg@10", "rr@10", "r@100", "judged@10", "per_query"}
    assert set(bm25) == {*measures, "ms_p50", "ms_p95", "degraded", "documents_scored"}


def test_pipelines_are_compared_by_the_first_measure():
    result = summarise(RUNS, QRELS, ["bm25"], measures=["r@2", "err@20", "ap"])
    assert result.compared_by == result.as_json()["compared_by"] == "r@2"
    assert list(result.as_json()["pipelines"]["rrf"])[:3] == ["r@2", "err@20", "ap"]
    assert result.pipelines["rrf"].versus["bm25"].delta == pytest.approx((1 / 2 + 1) / 2 - (1 / 2 + 1) / 2)
    assert result_table(result).headers[:4] == ("pipeline", "R@2", "ERR@20", "MAP")
    assert "randomisation test on R@2 per query" in caption(result)[0]


def test_only_queries_that_were_searched_are_measured():
    result = summarise(RUNS, {**QRELS, "never searched": {"tea": 1}}, ["bm25"])
    assert set(result.pipelines["bm25"].evaluation.per_query) == {"q1", "q2"}


def test_a_baseline_that_was_not_run_is_named():
    with pytest.raises(ValueError, match="'knn' was not run; it is one of bm25, rrf"):
        summarise(RUNS, QRELS, ["knn"])


def test_judgments_that_say_nothing_are_an_error():
    with pytest.raises(CollectionError, match="has a relevant document"):
        summarise(RUNS, {"q1": {"tea": 0}}, ["bm25"])


def test_the_table_and_what_stands_below_it():
    result = summarise(RUNS, {**QRELS, "q3": {"cake": 0}}, ["bm25"])
    table = result_table(result)
    assert [row[0] for row in table.rows] == ["bm25", "rrf"]
    assert all(len(row) == len(table.headers) for row in table.rows)
    assert table.rows[0][1] == f"{result.pipelines['bm25'].evaluation.mean['ndcg@10']:.4f}"
    assert table.rows[0][-2:] == ("–", "–")
    assert table.rows[1][-2].startswith(("+", "-"))
    first, second = caption(result)
    assert first.startswith("2 queries; left out: 1 more without a relevant document here. p:")
    assert second == "Degraded answers (a stage was skipped): rrf 1."


def test_the_largest_wins_come_first_and_the_largest_losses_last():
    result = summarise(RUNS, QRELS, ["bm25"])
    assert win_loss_caption(result, "rrf") == "rrf against bm25 by nDCG@10: 1 query better, 1 worse, 0 the same."
    table = win_loss_table(result, "rrf", {**QUERIES, "q1": "hot\n tea | milk"})
    assert table.headers == ("query", "id", "bm25", "rrf", "Δ")
    assert table.rows[0] == ("hot tea | milk", "q1", "0.2398", "0.7602", "+0.5204")
    assert table.rows[1] == (QUERIES["q2"], "q2", "1.0000", "0.6309", "-0.3691")
    assert len(win_loss_table(result, "rrf", QUERIES, shown=0).rows) == 0
    assert r"| hot tea \| milk " in markdown(table)


def test_several_baselines_in_one_table():
    result = summarise(RUNS, QRELS, ["bm25", "rrf"])
    table = result_table(result)
    assert table.headers[-4:] == ("Δ bm25", "p Holm", "Δ rrf", "p Holm")
    bm25, rrf = table.rows
    assert (bm25[-4:-2], rrf[-2:]) == (("–", "–"), ("–", "–"))
    assert rrf[-4] == "+0.0757"
    assert bm25[-2] == "-0.0757"
    assert "per query against bm25 and rrf, 10,000" in caption(result)[0]
    assert result.as_json()["pipelines"]["bm25"]["vs_rrf"]["delta"] == pytest.approx(-0.0757, abs=1e-4)


def test_a_run_over_some_queries():
    some = RUNS["rrf"].only({"q1", "q9"})
    assert set(some.rankings) == set(some.latencies_ms) == {"q1"}
    assert summarise({"rrf": some}, QRELS, ["rrf"]).pipelines["rrf"].evaluation.per_query.keys() == {"q1"}


def test_significance_and_cost_as_tables():
    runs = {**RUNS, "rrf": replace(RUNS["rrf"], scored={"q1": 50, "q2": 25, "q3": 0})}
    result = summarise(runs, QRELS, ["bm25"])
    (row,) = significance_table(result).rows
    assert row[:5] == ("rrf", "+0.0757", "1", "1", "0")
    assert all(0 < float(p) <= 1 for p in row[5:])
    assert cost_table(result).rows == (("bm25", "2.0", "8.3", "0.0"), ("rrf", "4.0", "4.0", "25.0"))
    assert result.as_json()["pipelines"]["rrf"]["documents_scored"] == 25


def test_how_alike_rankings_are_as_a_table():
    table = overlap_table(summarise(RUNS, QRELS, ["bm25"]))
    assert (table.headers, table.rows[0]) == (("RBO", "bm25", "rrf"), ("bm25", "1.000", "0.225"))


def test_markdown_by_hand():
    table = ReportTable(("pipeline", "nDCG@10"), (("bm25", "0.5"), ("rrf+colbert", "0.25")))
    assert markdown(table) == (
        "| pipeline    | nDCG@10 |\n"
        "| :---------- | ------: |\n"
        "| bm25        |     0.5 |\n"
        "| rrf+colbert |    0.25 |\n"
    )  # fmt: skip


async def test_the_environment_names_engine_models_and_machine(engine):
    about = describe_environment(replace(await engine.info(), version="7"), [])
    assert (about["engine"]["name"], about["engine"]["version"]) == ("embedded", "7")
    assert {"english", "exact_knn"} < set(about["engine"]["capabilities"])
    assert about["hardware"]["cores"] >= 1
    assert about["hardware"]["cpu"]
    json.dumps(about)


@given(
    runs=st.lists(st.dictionaries(st.sampled_from("qr"), st.lists(st.sampled_from("abcdef"), unique=True))),
    depth=st.integers(1, 4),
)
def test_a_pool_is_the_union_of_heads_in_any_order_of_runs(runs, depth):
    pooled = pool(runs, depth)
    assert pooled == {k: pool(reversed(runs), depth)[k] for k in pooled}
    for query_id, doc_ids in pooled.items():
        assert list(doc_ids) == sorted({each for run in runs for each in run.get(query_id, [])[:depth]})
