"""The client and rows of features, against a real sidecar and against servers whose answers a test chooses."""

import lightgbm
import pytest

from hybridrank.common.breaker import FAILURES_TO_OPEN
from hybridrank.connector import BadScores, CircuitOpen, SidecarClient, SidecarError, SidecarUnreachable
from hybridrank.sidecar.models.loading import load
from tests.connector.serving import Answering, result
from tests.sidecar.forests import feature_set, model_text, odd_rows, write_forest
from tests.sidecar.serving import serving

DIGEST = feature_set().digest


@pytest.fixture
async def sidecar(tmp_path):
    models = load([write_forest(tmp_path / "forest").path])
    async with serving(models) as served, SidecarClient(served.address) as client:
        yield client


async def rescore(client, rows, digest=DIGEST, **options):
    return await client.rescore_features(rows, feature_set_digest=digest, model="forest", timeout_s=10, **options)


async def test_scores_come_in_the_order_of_the_rows(sidecar):
    rows = odd_rows(40, seed=1)
    scores = await rescore(sidecar, rows)
    assert [each.score for each in scores] == lightgbm.Booster(model_str=model_text()).predict(rows).tolist()
    assert not any(each.contributions for each in scores)


async def test_contributions_on_request(sidecar):
    (score,) = await rescore(sidecar, odd_rows(1, seed=2), contributions=True)
    assert len(score.contributions) == len(feature_set().names) + 1
    assert sum(score.contributions) == pytest.approx(score.score, abs=1e-9)


async def test_a_model_tells_its_feature_set(sidecar):
    (model,) = await sidecar.models()
    assert (model.kind, model.feature_set.digest, model.feature_set.features) == (
        "lambdamart",
        DIGEST,
        feature_set().names,
    )
    assert (model.feature_set.name, model.feature_set.version) == ("tiny", "1")


async def test_another_feature_set_is_an_error_with_both_digests(sidecar):
    with pytest.raises(SidecarError, match=f"is {'0' * 64}, but forest:1 was trained on {DIGEST}"):
        await rescore(sidecar, odd_rows(1, seed=3), digest="0" * 64)


async def test_a_reply_that_lacks_a_row_is_refused(servers):
    async with SidecarClient(await servers.start(Answering([result(0, 1.0)]))) as client:
        with pytest.raises(BadScores, match="1 score for 2 candidates"):
            await rescore(client, [[1.0], [2.0]])


async def test_a_partial_reply_has_gaps_where_it_is_allowed(servers):
    async with SidecarClient(await servers.start(Answering([result(1, 1.0)], complete=False))) as client:
        scores = await rescore(client, [[1.0], [2.0]], allow_partial=True)
        assert [each and each.score for each in scores] == [None, 1.0]


async def test_rows_and_texts_share_the_circuit_of_rescoring():
    async with SidecarClient("127.0.0.1:1") as client:
        for _ in range(FAILURES_TO_OPEN):
            with pytest.raises(SidecarUnreachable):
                await rescore(client, [[1.0]])
        with pytest.raises(CircuitOpen):
            await client.rescore("tea", [], model="forest", timeout_s=1)
