"""LambdaMART over the wire: LightGBM's own scores, and everything else a request may ask for."""

import asyncio
import gc
import math
import threading
import weakref

import grpc
import lightgbm
import numpy as np
import pytest

from hybridrank.model_files import forest_folder
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.models.control import ModelControl
from hybridrank.sidecar.models.loading import load
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.rerankers.kind import LoadedModel
from hybridrank.sidecar.rerankers.lambdamart import ROW_TOKENS, LambdaMartReranker
from hybridrank.sidecar.scoring import block_scoring
from tests.golden.sidecar import FOLDER
from tests.sidecar.forests import FEATURES, feature_set, model_text, odd_rows, rows_on_the_edge, write_forest
from tests.sidecar.http_serving import serving_both
from tests.sidecar.serving import rerank_request, serving

DIGEST = feature_set().digest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_forest(tmp_path_factory.mktemp("models") / "forest").path


@pytest.fixture(scope="module")
def models(folder):
    return load([folder, FOLDER / "tiny-cross-encoder"])


@pytest.fixture
async def client(models):
    async with serving(models, score_cache_bytes=1 << 20) as client:
        yield client


@pytest.fixture(scope="module")
def booster():
    return lightgbm.Booster(model_str=model_text())


def request(rows, model="forest", digest=DIGEST, **options) -> pb.RerankRequest:
    top_k = options.pop("top_k", 0)
    return pb.RerankRequest(
        model=model,
        candidates=[pb.Candidate(id=f"p{index}", features=row) for index, row in enumerate(rows)],
        feature_set_digest=digest,
        top_k=top_k,
        options=pb.RerankOptions(**options),
    )


async def refusal(call) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_scores_over_the_wire_are_lightgbms_own_best_first(client, booster):
    rows = np.concatenate([odd_rows(1300, seed=1), rows_on_the_edge()])  # several blocks
    wanted = booster.predict(rows)
    response = await client.reranker.Rerank(request(rows))
    assert [each.index for each in response.results] == np.argsort(-wanted, kind="stable").tolist()
    assert [each.relevance_score for each in response.results] == wanted[[r.index for r in response.results]].tolist()
    assert all(each.id == f"p{each.index}" and not each.truncated for each in response.results)
    assert response.complete
    assert response.model.feature_set.digest == DIGEST
    assert list(response.model.feature_set.features) == list(feature_set().names)
    assert len(set(wanted)) > 100
    assert client.service.cache.used_bytes == 0


async def test_sigmoid_threshold_and_top_k(client, booster):
    rows = odd_rows(50, seed=2)
    response = await client.reranker.Rerank(request(rows, score_type=pb.SCORE_TYPE_SIGMOID, min_score=0.5, top_k=7))
    wanted = sorted((1 / (1 + math.exp(-raw)) for raw in booster.predict(rows) if raw >= 0), reverse=True)[:7]
    assert [each.relevance_score for each in response.results] == pytest.approx(wanted, abs=1e-12)


async def test_no_rows_give_no_results(client):
    response = await client.reranker.Rerank(request([]))
    assert (list(response.results), response.complete) == ([], True)


async def test_contributions_come_when_asked_for_and_add_up(client, booster):
    rows = odd_rows(30, seed=3)
    response = await client.reranker.Rerank(request(rows, contributions=True))
    wanted, scores = booster.predict(rows, pred_contrib=True), booster.predict(rows)
    for each in response.results:
        assert list(each.contributions) == wanted[each.index].tolist()
        assert len(each.contributions) == FEATURES + 1
        assert each.relevance_score == scores[each.index]
        assert math.fsum(each.contributions) == pytest.approx(each.relevance_score, abs=1e-9)
    plain = await client.reranker.Rerank(request(rows))
    assert not any(each.contributions for each in plain.results)


@pytest.mark.parametrize("digest", ["", "ab" * 32])
async def test_rows_of_another_feature_set_are_refused_with_digests(client, digest):
    error = await refusal(client.reranker.Rerank(request(odd_rows(2, seed=4), digest=digest)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(
        f"feature_set_digest: is {digest or 'empty'}, but forest:1 was trained on {DIGEST}"
    )


@pytest.mark.parametrize("length", [0, FEATURES - 1, FEATURES + 1])
async def test_a_row_of_another_length_is_refused_and_named(client, length):
    rows = [*odd_rows(3, seed=4), [1.0] * length]
    error = await refusal(client.reranker.Rerank(request(rows)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"candidates[3].features: has {length} values, but forest:1 reads 6")


async def test_contributions_of_a_model_that_reads_text_are_refused(client):
    asked = rerank_request("tiny-cross-encoder", "a", "b", options=pb.RerankOptions(contributions=True))
    error = await refusal(client.reranker.Rerank(asked))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("options.contributions: ")


class GatedForest(LambdaMartReranker):
    """Rows whose first value is above 0 wait for the gate."""

    def __init__(self, folder):
        super().__init__(folder)
        self.gate, self.started = threading.Event(), threading.Event()

    def score(self, rows):
        self.started.set()
        assert (rows[:, 0] <= 0).all() or self.gate.wait(timeout=60)
        return super().score(rows)


@pytest.fixture
async def gated(folder):
    forest = GatedForest(forest_folder.read(folder))
    async with serving(Models([LoadedModel(forest.info, forest)]), threads=1) as client:
        yield client, forest
        forest.gate.set()


async def test_scores_ready_near_the_deadline_are_a_partial_answer(gated, booster):
    client, _ = gated
    rows = np.zeros((2 * block_scoring.MAX_BLOCK_TOKENS, FEATURES))
    rows[-1, 0] = 1.0
    response = await client.reranker.Rerank(request(rows, best_effort=True), timeout=3)  # its margin is 90 ms
    assert not response.complete
    assert sorted(each.index for each in response.results) == list(range(block_scoring.MAX_BLOCK_TOKENS))


async def test_the_deadline_ends_a_call_without_best_effort(gated):
    client, _ = gated
    error = await refusal(client.reranker.Rerank(request(np.ones((1, FEATURES))), timeout=0.3))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_rows_that_wait_count_in_the_queue(gated):
    client, forest = gated
    first = asyncio.ensure_future(client.reranker.Rerank(request(np.ones((1, FEATURES)))))
    assert await asyncio.to_thread(forest.started.wait, 60)
    others = asyncio.ensure_future(client.reranker.Rerank(request(np.ones((5, FEATURES)))))
    while client.service.queued_tokens != 5 * ROW_TOKENS:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    forest.gate.set()
    assert len((await first).results) == 1
    assert len((await others).results) == 5


async def test_a_new_version_takes_over_while_calls_run(tmp_path):
    texts = {version: model_text(seed=int(version)) for version in ("1", "2")}
    first = write_forest(tmp_path / "forest" / "1", texts["1"]).path
    control = ModelControl(load([tmp_path]), [tmp_path])
    rows = odd_rows(20, seed=6)
    wanted = {version: lightgbm.Booster(model_str=text).predict(rows).tolist() for version, text in texts.items()}
    assert wanted["1"] != wanted["2"]
    seen = set()
    async with serving(control.models, control=control) as client:

        async def ask():
            response = await client.reranker.Rerank(request(rows, model="forest-alias"))
            assert [e.relevance_score for e in sorted(response.results, key=lambda e: e.index)] == wanted[
                response.model.version
            ]
            seen.add(response.model.version)

        await ask()
        second = write_forest(tmp_path / "forest" / "2", texts["2"], version="2").path
        loading = asyncio.ensure_future(client.models.Load(pb.LoadModelRequest(path=str(second))))
        while not loading.done():
            await ask()
        assert (await loading).version == "2"
        await ask()
        assert seen == {"1", "2"}
        write_forest(tmp_path / "forest" / "3", "no forest", version="3")
        error = await refusal(client.models.Load(pb.LoadModelRequest(path=str(tmp_path / "forest" / "3"))))
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        await ask()
        assert (await client.models.Load(pb.LoadModelRequest(path=str(first)))).version == "1"


async def test_an_old_version_gives_its_memory_back(tmp_path):
    write_forest(tmp_path / "forest" / "1")
    control = ModelControl(load([tmp_path]), [tmp_path])
    async with serving(control.models, control=control) as client:
        for asked in (request(odd_rows(40, seed=9)), request(odd_rows(40, seed=9), contributions=True)):
            await client.reranker.Rerank(asked)
        old = weakref.ref(control.models.get("forest").reranker)
        second = write_forest(tmp_path / "forest" / "2", version="2").path
        gc.disable()  # reference counts alone must free it, and with it the trees of every thread
        try:
            await client.models.Load(pb.LoadModelRequest(path=str(second)))
            assert old() is None
        finally:
            gc.enable()


async def test_scores_that_are_not_finite_are_refused(folder):
    class Overflowing(LambdaMartReranker):
        """As with leaves whose sum is beyond a double."""

        def score(self, rows):
            return np.where(np.arange(len(rows)) == 1, np.inf, super().score(rows))

    forest = Overflowing(forest_folder.read(folder))
    async with serving(Models([LoadedModel(forest.info, forest)])) as client:
        error = await refusal(client.reranker.Rerank(request(odd_rows(3, seed=7))))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "candidates[1]" in error.details()


async def test_http_refuses_forests_and_never_chooses_one_by_default(models, folder):
    body = {"query": "a dog", "documents": ["dogs bark"]}
    async with serving_both(models) as wires:
        for path in ("/v1/rerank", "/v2/rerank"):
            refused = await wires.http.post(path, json=body | {"model": "forest"})
            assert refused.status_code == 400
            assert "model: forest reads features, which this API cannot carry" in refused.json()["message"]
            assert (await wires.http.post(path, json=body)).status_code == 200
        tei = await wires.http.post("/rerank", json={"query": "a dog", "texts": ["dogs bark"]})
        assert tei.status_code == 200
        await wires.reranker.Rerank(request(odd_rows(3, seed=8)))
        assert await wires.metric("requests_total", wire="grpc", method="Rerank", outcome="ok") == 1
        assert await wires.metric("batch_tokens_total") > 0
        assert await wires.metric("model_info", name="forest", kind="lambdamart", precision="fp64") == 1
    async with serving_both(Models([load_model(folder)])) as wires:
        assert (await wires.http.post("/rerank", json={"query": "a", "texts": ["b"]})).status_code == 400
