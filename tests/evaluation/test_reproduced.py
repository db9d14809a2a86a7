"""Experiments against their expected scores, the aim, the page, and runs that are kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hybridrank.connector import ModelInfo
from hybridrank.connector.types import EngineInfo
from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.evaluation.experiments.results import summarise
from hybridrank.evaluation.measures.standard import evaluate
from hybridrank.evaluation.reproduce.experiment_files import Experiment
from hybridrank.evaluation.reproduce.kept_runs import KeptRuns, run_key
from hybridrank.evaluation.reproduce.means import means_by_training
from hybridrank.evaluation.reproduce.outcomes import Aim, Outcome, Verdict
from hybridrank.evaluation.reproduce.page import reproduced_page

GOLDEN = Path(__file__).with_name("reproduced.md")

QRELS = {f"q{number}": {"tea": 1} for number in range(4)}
RANKS = {  # the place of tea for each query: nDCG@10 is 1, 0.6309, 0.5, 0.4307 at ranks 1 to 4
    "bm25": (2, 2, 3, 4),
    "knn": (3, 2, 3, 4),
    "rrf": (1, 2, 2, 3),
    "rrf+cross-encoder": (1, 1, 1, 2),
    "rrf+nano": (1, 1, 2, 2),
    "rrf+colbert": (2, 2, 2, 3),
}
ABOUT = {
    "collection": {"name": "menu", "digest": "ab" * 32, "split": "test", "documents": 1400, "queries": 4},
    "engine": {"name": "embedded", "version": "1"},
    "models": [
        {
            "name": "minilm",
            "aliases": ["encoder", "colbert"],
            "version": "2",
            "precision": "int8",
            "digest": "cd" * 32,
            "blend_weight": None,
        },
        {
            "name": "nano",
            "aliases": ["nano"],
            "version": "1",
            "precision": "int8",
            "digest": "ef" * 32,
            "blend_weight": 0.2,
        },
    ],
    "hardware": {"cpu": "a processor", "cores": 2},
    "python": "3.11",
    "hybridrank": "0.1.0",
}


def ranking(place):
    return (*(f"soup{n}" for n in range(place - 1)), "tea")


def experiment(**changed):
    content = {
        "name": "menu-test",
        "collection": "menu",
        "training": "zero-shot",
        "pipelines": {
            "bm25": 0.548,
            "knn": 0.5154,
            "rrf": 0.6905,
            "rrf+cross-encoder": 0.9,
            "rrf+nano": None,
            "rrf+colbert": 0.6,
        },
        "published": [
            {"system": "others", "ndcg@10": 0.7, "source": "Somebody 2020", "address": "https://example.org/tea"}
        ],
    }
    return Experiment.model_validate({**content, **changed})


def runs():
    return {
        name: PipelineRun(
            {query_id: ranking(place) for query_id, place in zip(QRELS, places, strict=True)},
            dict.fromkeys(QRELS, 12.5),
            {},
        )
        for name, places in RANKS.items()
    }


def outcome(against=("rrf", "knn"), **changed):
    return Outcome(experiment(**changed), summarise(runs(), QRELS, against, ABOUT))


@pytest.mark.parametrize(
    ("expected", "got", "ok"),
    [
        (0.7, 0.705, True),
        (0.7, 0.695, True),
        (0.7, 0.7051, False),
        (0.7, 0.6949, False),
        (0.7, 0.7, True),
        (None, 0.7, False),
    ],
)
def test_a_score_is_as_expected_within_the_tolerance(expected, got, ok):
    assert Verdict("rrf", expected, got, 0.005).ok is ok


def test_every_pipeline_has_its_verdict():
    found = outcome()
    assert [(each.pipeline, each.expected, each.got, each.ok) for each in found.verdicts] == [
        ("bm25", 0.548, 0.5481, True),  # (2 × 0.63093 + 0.5 + 0.43068) / 4
        ("knn", 0.5154, 0.5154, True),  # (0.63093 + 2 × 0.5 + 0.43068) / 4
        ("rrf", 0.6905, 0.6905, True),  # (1 + 2 × 0.63093 + 0.5) / 4
        ("rrf+cross-encoder", 0.9, 0.9077, False),
        ("rrf+nano", None, 0.8155, False),
        ("rrf+colbert", 0.6, 0.5982, True),
    ]
    assert not found.ok
    assert outcome(tolerance=0.0077, pipelines=dict.fromkeys(RANKS, 0.9)).verdicts[3].ok
    assert not Outcome(experiment(), problem="there is no such folder").ok


def test_all_as_expected_is_ok():
    got = {each.pipeline: each.got for each in outcome().verdicts}
    assert outcome(pipelines=got).ok


def test_new_scores_are_changed_ones_without_degraded_answers():
    found = outcome()
    assert found.new_scores == {"bm25": 0.5481, "rrf+cross-encoder": 0.9077, "rrf+nano": 0.8155, "rrf+colbert": 0.5982}
    pipelines = dict(found.result.pipelines)
    pipelines["rrf+nano"] = replace(pipelines["rrf+nano"], degraded=1)
    assert "rrf+nano" not in replace(found, result=replace(found.result, pipelines=pipelines)).new_scores


def test_the_aim_by_hand():
    aim = outcome().aim
    assert aim.queries == 4
    assert aim.gain == pytest.approx((0.3691 + 0.3691 + 0.1309) / 4, abs=1e-4)
    assert aim.kept == pytest.approx(0.8155 / 0.9077, abs=1e-3)
    assert aim.worse == ("rrf+colbert",)
    assert aim.missed == ("nano below 95%", "worse than rrf: rrf+colbert")


@pytest.mark.parametrize(
    ("aim", "missed"),
    [
        (Aim(100, 0.03, 0.049, 0.95, ()), ()),
        (Aim(100, 0.0299, 0.049, 0.95, ()), ("gain below 0.03",)),
        (Aim(100, 0.03, 0.05, 0.95, ()), ("could be chance",)),
        (Aim(99, 0.03, 0.05, 0.95, ()), ()),
        (Aim(100, 0.03, 0.049, 0.949, ()), ("nano below 95%",)),
        (Aim(100, 0.03, 0.049, None, ()), ("nano not measured",)),
        (Aim(100, 0.03, 0.049, 1.0, ("rrf+nano", "rrf+colbert")), ("worse than rrf: rrf+nano, rrf+colbert",)),
    ],
)
def test_each_part_of_the_aim_counts(aim, missed):
    assert aim.missed == missed


def test_there_is_no_aim_where_it_was_not_measured():
    assert Outcome(experiment(), problem="no folder").aim is None
    assert outcome(against=["bm25"]).aim is None


def test_means_give_every_experiment_the_same_weight():
    both = outcome()
    smaller = Outcome(
        experiment(name="half"), summarise({name: run.only({"q0"}) for name, run in runs().items()}, QRELS, ["rrf"])
    )
    apart = Outcome(experiment(name="seen", training="in-domain"), both.result)
    first, second = means_by_training([both, smaller, Outcome(experiment(), problem="no folder"), apart])
    assert (first.training, first.experiments, first.queries) == ("zero-shot", ("menu-test", "half"), 5)
    assert first.baselines == ("rrf",)  # the others were not compared in both
    assert first.pipelines["rrf"] == pytest.approx((0.6905 + 1) / 2, abs=1e-4)
    assert first.pipelines["bm25"] == pytest.approx((0.5481 + 0.6309) / 2, abs=1e-4)
    assert first.versus["bm25"]["rrf"].delta == pytest.approx((0.5481 - 0.6905 + 0.6309 - 1) / 2, abs=1e-4)
    assert (second.training, second.queries) == ("in-domain", 4)
    for name, each in both.result.pipelines.items():  # a mean of one collection is that collection
        assert second.pipelines[name] == pytest.approx(each.evaluation.mean["ndcg@10"])
        for baseline, found in each.versus.items():
            assert second.versus[name][baseline].p_holm == found.p_holm


def test_experiments_without_a_common_pipeline_have_no_means():
    knn_only = Outcome(experiment(name="other"), summarise({"knn": runs()["knn"]}, QRELS, ["knn"], ABOUT))
    rrf_only = Outcome(experiment(), summarise({"rrf": runs()["rrf"]}, QRELS, ["rrf"], ABOUT))
    assert means_by_training([knn_only, rrf_only]) == []
    assert "## Means" not in reproduced_page([rrf_only, knn_only], "hybridrank reproduce").split("## menu")[0]


def page():
    lucene = {"Lucene BM25": evaluate(QRELS, {query_id: ranking(2) for query_id in QRELS})}
    measured = replace(outcome(), lucene=lucene, lucene_version="Pyserini 1.6.0")
    sampled = outcome(name="menu-sample", queries=4, token_vectors="int8", training="in-domain", published=[])
    missing = Outcome(experiment(name="cake"), problem="cake: there is no such folder")
    return reproduced_page([measured, sampled, missing], "hybridrank reproduce --collections COLLECTIONS")


def write_page():
    GOLDEN.write_text(page(), encoding="utf-8")


def test_the_page_is_the_golden_one():
    """If a change is intended, call `write_page` and review the difference."""
    assert page() == GOLDEN.read_text(encoding="utf-8")


def test_an_outcome_as_json():
    content = json.loads(json.dumps(outcome().as_json()))
    assert (content["name"], content["ok"], content["expected"]["bm25"]) == ("menu-test", False, 0.548)
    assert content["pipelines"]["bm25"]["ndcg@10"] == pytest.approx(0.5481, abs=1e-4)
    assert content["aim_missed"] == ["nano below 95%", "worse than rrf: rrf+colbert"]
    assert json.dumps(Outcome(experiment(), problem="why").as_json()).count("why") == 1


RUN = PipelineRun({"q1": ("tea", "soup")}, {"q1": 2.5}, {}, {"q1": 2})


def test_a_run_comes_back_as_it_was_kept_and_only_by_its_key(tmp_path):
    kept = KeptRuns(tmp_path / "runs")
    assert kept.load("menu", "rrf", "key") is None
    kept.keep("menu", "rrf", "key", RUN)
    assert kept.load("menu", "rrf", "key") == RUN
    assert kept.load("menu", "rrf", "another") is None
    assert kept.load("menu", "bm25", "key") is None
    kept.keep("menu", "rrf", "another", RUN)
    assert kept.load("menu", "rrf", "key") is None


def test_degraded_and_damaged_runs_are_made_again(tmp_path):
    kept = KeptRuns(tmp_path)
    kept.keep("menu", "rrf", "key", replace(RUN, degraded={"q1": "rescore: timeout"}))
    assert kept.load("menu", "rrf", "key") is None
    kept.keep("menu", "rrf", "key", RUN)
    for content in ("", "{}", "[]", '{"key": "key", "run": 1}', '{"key": "key", "run": {"rankings": []}}'):
        (tmp_path / "menu/rrf.json").write_text(content)
        assert kept.load("menu", "rrf", "key") is None


def model(name, digest):
    return ModelInfo(
        name=name,
        version="1",
        kind="encoder",
        digest=digest,
        precision="int8",
        max_tokens=256,
        dimensions=384,
        aliases=(),
    )


MODELS = {"encoder": model("e", "1"), "colbert": model("e", "1"), "cross-encoder": model("c", "2")}
SETTINGS = PipelineSettings(token_vectors=("colbert",))


def key(pipeline, **changed):
    given = {
        "collection_digest": "d",
        "queries": {"q1": "tea"},
        "settings": SETTINGS,
        "token_vectors": "int8",
        "models": MODELS,
        "engine": EngineInfo("embedded", "1", frozenset()),
    }
    return run_key(parse_pipeline(pipeline), **{**given, **changed})


PIPELINES = ("bm25", "knn", "rrf", "rrf+colbert", "rrf+cross-encoder")


@pytest.mark.parametrize(
    ("changed", "touched"),
    [
        ({}, ()),
        ({"collection_digest": "e"}, PIPELINES),
        ({"queries": {"q1": "soup"}}, PIPELINES),
        ({"queries": {"q2": "tea"}}, PIPELINES),
        ({"engine": EngineInfo("embedded", "2", frozenset())}, PIPELINES),
        ({"settings": replace(SETTINGS, size=10)}, PIPELINES),
        ({"settings": replace(SETTINGS, weight=0.7)}, ("rrf+colbert", "rrf+cross-encoder")),
        (
            {"models": {**MODELS, "cross-encoder": replace(MODELS["cross-encoder"], blend_weight=0.3)}},
            ("rrf+cross-encoder",),
        ),
        ({"settings": replace(SETTINGS, rescore_window_size=9)}, ("rrf+colbert", "rrf+cross-encoder")),
        ({"token_vectors": "fp16"}, ("rrf+colbert",)),
        ({"models": {**MODELS, "cross-encoder": model("c", "3")}}, ("rrf+cross-encoder",)),
        ({"models": {**MODELS, "colbert": model("c", "3")}}, ("rrf+colbert",)),
        ({"models": {**MODELS, "colbert": replace(model("e", "1"), token_codec="new")}}, ("rrf+colbert",)),
        ({"models": {**MODELS, "encoder": model("e", "3")}}, PIPELINES[1:]),
    ],
)
def test_a_run_is_repeated_only_when_its_inputs_changed(changed, touched):
    assert tuple(name for name in PIPELINES if key(name) != key(name, **changed)) == touched


def test_a_named_weight_overrides_those_of_folders():
    named = replace(SETTINGS, weight=0.7)
    recommended = {**MODELS, "cross-encoder": replace(MODELS["cross-encoder"], blend_weight=0.3)}
    assert len({key("rrf+cross-encoder", settings=named, models=each) for each in (MODELS, recommended)}) == 1
