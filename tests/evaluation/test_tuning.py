"""Tuning: searches from memory are real searches, and what is chosen on dev has to be better on what it did not see."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridrank.connector import HybridSearch, Rescore, SidecarClient
from hybridrank.connector.admin.similarity import Bm25Settings
from hybridrank.connector.errors import EngineError, SidecarTimeout
from hybridrank.connector.fusion import Rrf, WeightedSum
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.types import Document, DocumentKey, Encoding
from hybridrank.evaluation.experiments.configuration import Configuration
from hybridrank.evaluation.experiments.pipelines import PipelineSettings
from hybridrank.evaluation.tuning.memory import RememberingEngine, RememberingSearch
from hybridrank.evaluation.tuning.report import attempts_table, tuned_json, verdict, winner_file
from hybridrank.evaluation.tuning.space import Space
from hybridrank.evaluation.tuning.study import importances, open_study, tune
from hybridrank.evaluation.tuning.tune import Attempt, Tuned, TuningError, chosen_without, measured_on
from tests.contracts.passages import PASSAGES
from tests.contracts.sparse import DEFINITION
from tests.doubles import BrokenSidecar, FailingRetriever, HalfSidecar, RecordingEngine, WordSidecar
from tests.evaluation.menu import QRELS, QUERIES, menu_engine

SPACE = Space(("title", "text"), ("words", "others"), 30)
NUMBERS = {"measure": "ndcg@10", "qrels": QRELS, "index": "menu", "settings": PipelineSettings(timeout_s=9)}
JUDGED = {query_id: QUERIES[query_id] for query_id in QRELS}

configurations = st.builds(
    Configuration,
    retrievers=st.sampled_from([("bm25",), ("knn",), ("bm25", "knn")]),
    fields=st.sampled_from([{}, {"title": 2.0, "text": 1.0}, {"text": 1.0}]),
    fusion=st.one_of(
        st.builds(Rrf, rank_constant=st.integers(1, 9), weights=st.just({"bm25": 0.3, "knn": 0.7})),
        st.builds(WeightedSum, weights=st.just({"bm25": 0.6})),
    ),
    rank_window_size=st.integers(1, 6),
    rescore=st.none()
    | st.builds(
        Rescore,
        model=st.sampled_from(["words", "others"]),
        rescore_window_size=st.integers(1, 6),
        weight=st.floats(0.1, 1),
    ),
)


@pytest.fixture
async def engine(tmp_path):
    return await menu_engine(tmp_path)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tried=st.lists(configurations, min_size=2, max_size=5), size=st.integers(1, 6))
async def test_remembered_searches_equal_real_ones(engine, tried, size):
    """Whatever was asked before: hits with their scores, ranks and texts."""
    real, remembered = HybridSearch(engine, WordSidecar()), RememberingSearch(engine, WordSidecar())
    for configuration in tried:
        for query_text in QUERIES.values():
            request = configuration.request("menu", query_text, size=size)
            expected, found = await real.search(request), await remembered.search(request)
            assert (found.hits, found.degraded) == (expected.hits, expected.degraded)
            assert [hit.source for hit in found.hits] == [hit.source for hit in expected.hits]


@pytest.mark.parametrize("token_vectors", [None, "int8"])
async def test_with_models_that_ship_too(tmp_path, sidecar_address, token_vectors):
    """Scored in other windows and at other times, every text or its stored vectors score the same."""
    engine = await menu_engine(tmp_path)
    async with SidecarClient(sidecar_address) as client:
        cache = VectorCache(tmp_path / "vectors.sqlite3")
        await index_documents(engine, client, "shipped", PASSAGES, cache=cache, token_vectors=token_vectors)
        real, remembered = HybridSearch(engine, client), RememberingSearch(engine, client)
        for model, window in (("cross-encoder", 2), ("colbert", 3), ("cross-encoder", 5), ("colbert", 5)):
            stage = Rescore(model=model, rescore_window_size=window, weight=0.7, timeout_s=60)
            request = Configuration(rescore=stage).request("shipped", "hot tea with milk", encode_timeout_s=60)
            expected, found = await real.search(request), await remembered.search(request)
            assert found.degraded == expected.degraded == ()
            assert found.hits == expected.hits or token_vectors
            # Stored vectors of other documents in one product change the last digits.
            scores = [{hit.doc_id: hit.rerank_score for hit in each.hits} for each in (expected, found)]
            assert scores[1] == pytest.approx(scores[0], abs=1e-5)


async def test_engine_and_models_are_asked_once(engine):
    recording = RecordingEngine(engine)
    scored = []

    class Counting(WordSidecar):
        async def rescore(self, query_text, passages, **more):
            scored.extend((query_text, each.doc_id) for each in passages)
            return await super().rescore(query_text, passages, **more)

    values = measured_on(RememberingSearch(recording, Counting()), queries=JUDGED, **NUMBERS)
    for weight in (0.2, 0.9):
        for window in (2, 4):
            await values(Configuration(rescore=Rescore(model="words", rescore_window_size=window, weight=weight)))
    assert len(recording.queries) == len(JUDGED)
    assert len(scored) == len(set(scored)) == 4 * len(JUDGED)
    await values(Configuration(fields={"title": 1.0}, fusion=WeightedSum()))
    assert [list(each) for each in recording.queries[len(JUDGED) :]] == [["bm25"]] * len(JUDGED)


async def test_token_vectors_are_read_once_while_there_is_room():
    asked = []

    class Stored:
        async def stored_token_vectors(self, index, keys):
            asked.append([key.doc_id for key in keys])
            return {key: key.doc_id.encode() * 10 for key in keys if key.doc_id != "none"}

    def keys(*doc_ids):
        return [DocumentKey("menu", each) for each in doc_ids]

    remembering = RememberingEngine(Stored(), packed_kept=20)
    for wanted in (keys("a", "b"), keys("b", "c"), keys("c", "b"), keys("a", "none")):
        found = await remembering.stored_token_vectors("menu", wanted)
        assert found == {key: key.doc_id.encode() * 10 for key in wanted if key.doc_id != "none"}
    assert asked == [["a", "b"], ["c"], ["a", "none"]]


async def test_sparse_vectors_are_asked_for_once_whatever_bm25(engine):
    changes, encoded = [], []

    async def change(bm25):
        changes.append(bm25)

    class Sparse(WordSidecar):
        async def encode_sparse(self, texts, **_more):
            encoded.extend(texts)
            return tuple(Encoding((), sparse=dict.fromkeys(text.split(), 1.0)) for text in texts)

    await engine.create_index("menu-sparse", DEFINITION)
    await engine.index_documents(
        "menu-sparse", [Document(each, {"text": each}, sparse={"tea": 1.0, each: 2.0}) for each in ("tea", "chai")]
    )
    await engine.refresh("menu-sparse")
    recording = RecordingEngine(engine)
    search = RememberingSearch(recording, Sparse(), change)
    for bm25 in (None, Bm25Settings(k1=0.5)):
        search.count_by(bm25)
        for retrievers in (("sparse",), ("knn", "sparse")):
            request = Configuration(retrievers=retrievers).request("menu-sparse", "hot tea")
            response = await search.search(request)
            assert [hit.doc_id for hit in response.hits if "sparse" in hit.retrievers] == ["tea", "chai"]
    assert encoded == ["hot tea"]
    assert [name for each in recording.queries for name in each].count("sparse") == 1
    assert changes == []


async def test_the_rankings_wanted_longest_ago_are_forgotten_first(engine):
    recording = RecordingEngine(engine)
    search = HybridSearch(RememberingEngine(recording, kept=5))  # tea 3 documents, water 2, sugar 1

    async def ask(*queries):
        for each in queries:
            await search.search(Configuration(retrievers=("bm25",)).request("menu", each))
        return [each["bm25"].text for each in recording.queries]

    assert await ask("tea", "water", "tea", "sugar") == ["tea", "water", "sugar"]
    assert await ask("tea") == ["tea", "water", "sugar"]
    assert await ask("water") == ["tea", "water", "sugar", "water"]


async def test_bm25_settings_change_before_the_search_that_needs_them(engine):
    """And is left as it is where BM25 has answered already, or is not asked."""
    changes = []

    async def change(bm25):
        changes.append(bm25)

    recording = RecordingEngine(engine)
    values = measured_on(RememberingSearch(recording, WordSidecar(), change), queries=JUDGED, **NUMBERS)
    one, two = Bm25Settings(k1=0.5), Bm25Settings(k1=2)
    for configuration in (
        Configuration(),
        Configuration(bm25=one),
        Configuration(bm25=one, fields={"text": 1.0}),
        Configuration(bm25=two),
        Configuration(bm25=one, fusion=WeightedSum()),
        Configuration(retrievers=("knn",)),
        Configuration(fields={"text": 1.0}),
    ):
        await values(configuration)
    assert changes == [one, two, None]
    assert len(recording.queries) == 5 * len(JUDGED)


@pytest.mark.parametrize(
    ("failing", "sidecar", "said"),
    [
        ({"bm25": EngineError("no", reason="down")}, WordSidecar(), "query q1: bm25: no"),
        ({}, BrokenSidecar(SidecarTimeout("too slow"), rescoring=True), "query q1: rescore: too slow"),
        ({}, BrokenSidecar(SidecarTimeout("too slow"), encoding=True), "query q1: encode: too slow"),
        ({}, HalfSidecar(1), "query q1: rescore: 1 of .* scored in time"),
    ],
)
async def test_a_part_that_is_left_out_ends_it_and_is_not_remembered(engine, failing, sidecar, said):
    flaky = FailingRetriever(engine, failing)
    search = RememberingSearch(flaky, sidecar)
    values = measured_on(search, queries=JUDGED, **NUMBERS)
    configuration = Configuration(rescore=Rescore(model="words"))
    with pytest.raises(TuningError, match=said):
        await values(configuration)
    flaky.failures = {}
    search.sidecar._sidecar = WordSidecar()
    whole = await measured_on(RememberingSearch(engine, WordSidecar()), queries=JUDGED, **NUMBERS)(configuration)
    assert await values(configuration) == whole


def attempts(*values):
    return [
        Attempt(number, Configuration(rank_window_size=number + 1), {f"q{n}": each for n, each in enumerate(row)})
        for number, row in enumerate(values)
    ]


def test_a_query_is_judged_by_what_is_best_on_the_others():
    """By hand, a query a fold: the third attempt is best on all, for its luck with q0 alone."""
    tried = attempts([0.5, 0.5, 0.5, 0.5], [0.4, 0.6, 0.6, 0.4], [1.0, 0.5, 0.5, 0.5])
    assert Tuned(tried).best is tried[2]
    assert chosen_without(tried) == {"q0": 0.4, "q1": 0.5, "q2": 0.5, "q3": 0.5}
    assert not Tuned(tried).found
    assert Tuned(tried).winner is tried[0]


@given(st.lists(st.lists(st.floats(0, 1), min_size=7, max_size=7), min_size=1, max_size=5), st.integers(0, 6))
def test_a_query_has_no_part_in_the_choice_it_is_measured_with(rows, changed):
    tried = attempts(*rows)
    before = chosen_without(tried, folds=7)
    ranks = [sum(row) - row[changed] for row in rows]
    shifted = [Attempt(e.number, e.configuration, {**e.values, f"q{changed}": 9.0 + e.number}) for e in tried]
    (number,) = {chosen_without(shifted, folds=7)[f"q{changed}"] - 9}
    assert tried[round(number)].values[f"q{changed}"] == before[f"q{changed}"]
    assert ranks[round(number)] == pytest.approx(max(ranks))


def test_a_real_gain_is_chosen_and_a_lucky_one_is_not():
    """200 attempts that differ by chance alone; then one of them is better by a fifth on every query."""
    draw = random.Random(7)
    chance = [[draw.gauss(0.5, 0.2) for _ in range(60)] for _ in range(201)]
    lucky = Tuned(attempts(*chance))
    assert lucky.best.mean > lucky.default.mean + 0.05
    assert not lucky.found
    assert lucky.winner is lucky.default
    assert verdict(lucky, "ndcg@10").startswith("Nothing found that is better than the defaults: by 5 folds")
    chance[100] = [each + 0.2 for each in chance[0]]
    better = Tuned(attempts(*chance))
    assert better.found
    assert better.winner.number == 100
    assert better.evidence.delta == pytest.approx(0.2)
    expected = "Better than the default: by 5 folds of 60 queries, choosing brings +0.2"
    assert verdict(better, "ndcg@10").startswith(expected)


def test_the_report_says_if_nothing_beats_the_default():
    tuned = Tuned(attempts([0.5, 0.5], [0.5, 0.4], [0.5, 0.5]))
    assert tuned.best is tuned.default
    assert verdict(tuned, "ap") == "Nothing found that is better than the defaults: of 2 trials none is."
    assert winner_file(tuned, "ap", "made by hand").splitlines()[:2] == [
        "# made by hand",
        "# dev MAP 0.5000, default 0.5000, 2 queries",
    ]


async def values_by_title(configuration):
    """Prefers titles at 3, kNN at 0.6 and the second model."""
    title = configuration.fields.get("title", 0) if configuration.fields else 1
    share = configuration.fusion.weights.get("knn", 0.5) if len(configuration.retrievers) > 1 else 0
    model = 0.2 if configuration.rescore and configuration.rescore.model == "others" else 0
    return {f"q{n}": 1 - abs(title - 3) / 10 - abs(share - 0.6) + model + n / 100 for n in range(10)}


async def tuned_in(file, trials, seed=1, about=None):
    with open_study(file, seed, about or {"collection": "menu"}) as study:
        tuned = await tune(study, SPACE, Configuration(), values_by_title, trials)
        return tuned, importances(study)


async def test_tuning_starts_at_the_default_and_finds_the_best():
    tuned, shares = await tuned_in(None, 50)
    assert len(tuned.attempts) == 51
    assert tuned.default.configuration == Configuration()
    first = tuned.attempts[1].configuration
    assert (first.fusion.weights, first.fields) == ({"bm25": 0.5, "knn": 0.5}, {"title": 1.0, "text": 1.0})
    assert first.rescore is None
    assert tuned.found
    assert tuned.winner.configuration.rescore.model == "others"
    assert abs(tuned.winner.configuration.fusion.weights["knn"] - 0.6) <= 0.1
    assert abs(tuned.winner.configuration.fields["title"] - 3) <= 1
    assert sum(shares.values()) == pytest.approx(1)
    assert next(iter(shares)) in {"knn_share", "model", "boost:title"}
    again, _ = await tuned_in(None, 12)
    assert [each.configuration for each in again.attempts] == [each.configuration for each in tuned.attempts[:13]]


@pytest.mark.parametrize("window", [10, 25, 60])
async def test_the_search_starts_within_what_may_be_chosen(window):
    """A warning of optuna's, which is an error here, would say that it does not."""
    default = Configuration(retrievers=("bm25",), rescore=Rescore(model="words", weight=0.5))
    with open_study(None, 1, {}) as study:
        tuned = await tune(study, Space(("title", "text"), ("words",), window, True), default, values_by_title, 1)
    first = tuned.attempts[1].configuration
    assert (first.retrievers, first.rescore.model, first.rescore.weight) == (("bm25",), "words", 0.5)
    assert first.rescore.rescore_window_size == min(50, window // 10 * 10)
    assert first.bm25 == Bm25Settings()


async def test_a_study_resumes_only_for_the_task_it_was_made_for(tmp_path):
    file = tmp_path / "study.sqlite3"
    some, _ = await tuned_in(file, 4)
    more, _ = await tuned_in(file, 7)
    assert more.attempts[:5] == some.attempts
    assert len(more.attempts) == 8
    fewer, _ = await tuned_in(file, 2)
    assert fewer.attempts == more.attempts
    with pytest.raises(TuningError, match="was made with another collection; give another file"):
        await tuned_in(file, 9, about={"collection": "soups"})


async def test_a_study_goes_on_after_an_interruption(tmp_path):
    file = tmp_path / "study.sqlite3"

    with open_study(file, 1, {"collection": "menu"}) as study:
        study.ask()
    tuned, _ = await tuned_in(file, 3)
    assert len(tuned.attempts) == 4


def test_the_table_lists_the_default_first_and_others_once():
    tried = attempts([0.5, 0.5], [0.9, 0.7], [0.6, 0.6])
    tried.append(Attempt(3, tried[1].configuration, tried[1].values))
    table = attempts_table(Tuned(tried), "ndcg@10")
    assert [row[:3] for row in table.rows] == [
        ("default", "0.5000", "–"),
        ("1", "0.8000", "+0.3000"),
        ("2", "0.6000", "+0.1000"),
    ]
    assert table.rows[0][3:] == ("bm25 1 knn 1", "the index's", "rrf 60", "1", "–")
    configuration = Configuration(
        retrievers=("knn",), rank_window_size=50, rescore=Rescore(model="colbert", weight=0.25, rescore_window_size=20)
    )
    table = attempts_table(Tuned([Attempt(0, configuration, {"q": 1.0})]), "ndcg@10")
    assert table.rows[0][3:] == ("knn", "–", "–", "50", "colbert 0.25 of 20")
    assert tuned_json(Tuned(tried))["best"]["number"] == 1


@given(st.data())
def test_every_choice_is_a_search_that_can_be_made(data):
    """Whatever a trial proposes, at both ends of every range too."""

    class Drawn:
        def suggest_float(self, name, low, high, *, step=None):
            return low + step * data.draw(st.integers(0, round((high - low) / step)), label=name)

        def suggest_int(self, name, low, high, *, step=1, log=False):
            return low + step * data.draw(st.integers(0, (high - low) // step), label=name)

        def suggest_categorical(self, name, choices):
            return data.draw(st.sampled_from(choices), label=name)

    fields = data.draw(st.sampled_from([(), ("text",), ("title", "text"), ("title", "tags", "text")]))
    models = data.draw(st.sampled_from([(), ("words",)]))
    bm25 = data.draw(st.booleans())
    configuration = Space(fields, models, data.draw(st.integers(10, 60)), bm25).choose(Drawn())
    assert bool(configuration.bm25) == (bm25 and "bm25" in configuration.retrievers)
    request = configuration.request("menu", "tea")
    assert 50 <= request.rank_window_size <= 200
    assert Configuration.model_validate(configuration.as_json()) == configuration
    assert set(configuration.fields) <= set(fields)
