"""Calibrated scores: chances that rise with the raw score, over both wires, for models that were calibrated."""

import json
import math
import shutil

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hybridrank.model_files import calibration
from hybridrank.model_files.calibration import Isotonic, Temperature
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.models.loading import load
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.scoring.ranking import ranked
from hybridrank.sidecar.types import RelevanceScore, RerankRequest, ScoreType
from tests.golden.sidecar import FOLDER
from tests.sidecar.forests import odd_rows, write_forest
from tests.sidecar.http_serving import serving_both
from tests.sidecar.serving import rerank_request, serving

QUERY = "what is a rank"
PASSAGES = ("a rank is a rank", "query", "search engine", "what passage is the passage of", "")
TINY = FOLDER / "tiny-cross-encoder"

numbers = st.floats(-1e6, 1e6)
temperatures = st.builds(Temperature, slope=st.floats(1e-6, 1e6), intercept=numbers)


@st.composite
def isotonics(draw):
    raw_scores = sorted(draw(st.sets(numbers, min_size=1, max_size=8)))
    values = sorted(draw(st.lists(st.floats(0, 1), min_size=len(raw_scores), max_size=len(raw_scores))))
    return Isotonic(raw_scores=raw_scores, values=values)


@pytest.fixture
def folder(tmp_path):
    """A copy of the tiny cross-encoder with a calibration for its own digest, and one for another."""
    path = tmp_path / "tiny-cross-encoder"
    shutil.copytree(TINY, path)
    fitted = {load_model(TINY).info.digest: Temperature(slope=0.5, intercept=-1.0), "0" * 64: STEPS}
    calibration.write(path, fitted)
    return path


STEPS = Isotonic(raw_scores=(-1.0, 1.0, 3.0), values=(0.1, 0.5, 0.5))


def test_a_temperature_of_two_halves_the_logits():
    found = Temperature(slope=0.5, intercept=-1.0).probabilities(np.array([2.0, 4.0]))
    assert found.tolist() == pytest.approx([1 / 2, 1 / (1 + math.exp(-1))])


def test_isotonic_lines_rise_between_points_and_are_flat_beyond():
    found = STEPS.probabilities(np.array([-9.0, -1.0, 0.0, 1.0, 2.0, 9.0]))
    assert found.tolist() == pytest.approx([0.1, 0.1, 0.3, 0.5, 0.5, 0.5])


def test_rounding_never_exceeds_the_next_point():
    end = 0.07970875620903561
    fitted = Isotonic(raw_scores=(-0.6820134730036926, end), values=(0.005105679548153996, 0.7962273903844265))
    below, at = fitted.probabilities(np.array([np.nextafter(end, -1), end]))
    assert below <= at == 0.7962273903844265


@given(fitted=temperatures | isotonics(), raw=st.lists(numbers, min_size=2, max_size=20), data=st.data())
def test_a_higher_raw_score_never_has_a_lower_chance(fitted, raw, data):
    at_a_point = st.sampled_from(fitted.raw_scores) if isinstance(fitted, Isotonic) else numbers
    raw = np.sort([*raw, point := data.draw(at_a_point), np.nextafter(point, -np.inf), np.nextafter(point, np.inf)])
    found = fitted.probabilities(raw)
    assert (np.diff(found) >= 0).all()
    assert 0 <= found.min() <= found.max() <= 1


def test_equal_probabilities_keep_the_order_of_raw_scores():
    scored = [RelevanceScore(str(raw), index, raw, truncated=False) for index, raw in enumerate([1.5, 0.0, 2.5, -5.0])]
    asked = RerankRequest("m", "q", (), score_type=ScoreType.CALIBRATED, min_score=0.3)
    found = [(each.index, each.relevance_score) for each in ranked(asked, scored, STEPS)]
    assert found == [(2, 0.5), (0, 0.5), (1, pytest.approx(0.3))]


@pytest.mark.parametrize(
    "fields",
    [
        {"slope": 0.0, "intercept": 1.0},
        {"slope": -1.0, "intercept": 1.0},
        {"slope": 1.0, "intercept": math.nan},
    ],
)
def test_a_slope_that_would_change_the_order_is_refused(fields):
    with pytest.raises(ValidationError):
        Temperature(**fields)


@pytest.mark.parametrize(
    ("raw_scores", "values", "problem"),
    [
        ((0.0, 0.0), (0.1, 0.2), "raw scores must rise"),
        ((0.0, 1.0), (0.2, 0.1), "values must not fall"),
        ((0.0, 1.0), (0.2,), "one value"),
        ((0.0,), (1.1,), "less than or equal to 1"),
    ],
)
def test_points_that_fall_are_refused(raw_scores, values, problem):
    with pytest.raises(ValidationError, match=problem):
        Isotonic(raw_scores=raw_scores, values=values)


async def test_both_wires_return_the_chance_and_say_by_what(folder):
    async with serving_both(load([folder])) as wires:
        raw = await wires.reranker.Rerank(rerank_request("tiny-cross-encoder", QUERY, *PASSAGES))
        wanted = [1 / (1 + math.exp(1 - 0.5 * each.relevance_score)) for each in raw.results]
        options = pb.RerankOptions(score_type=pb.SCORE_TYPE_CALIBRATED)
        reply = await wires.reranker.Rerank(rerank_request("tiny-cross-encoder", QUERY, *PASSAGES, options=options))
        assert [each.relevance_score for each in reply.results] == pytest.approx(wanted)
        assert [each.index for each in reply.results] == [each.index for each in raw.results]
        assert reply.model.calibration == Temperature(slope=0.5, intercept=-1.0).digest
        assert reply.model.digest == load_model(TINY).info.digest

        options.min_score = (wanted[1] + wanted[2]) / 2
        fewer = await wires.reranker.Rerank(rerank_request("tiny-cross-encoder", QUERY, *PASSAGES, options=options))
        assert [each.index for each in fewer.results] == [each.index for each in raw.results[:2]]

        body = {"query": QUERY, "documents": PASSAGES, "score_type": "calibrated"}
        found = (await wires.http.post("/v1/rerank", json=body)).json()["results"]
        assert [each["relevance_score"] for each in found] == pytest.approx(wanted, rel=1e-9)
        tei = (await wires.http.post("/rerank", json={"query": QUERY, "texts": PASSAGES, "score_type": "raw"})).json()
        assert [each["score"] for each in tei] == pytest.approx(
            [each.relevance_score for each in raw.results], rel=1e-9
        )


async def test_a_model_without_is_named_over_both_wires(tiny):
    async with serving_both(tiny) as wires:
        options = pb.RerankOptions(score_type=pb.SCORE_TYPE_CALIBRATED)
        with pytest.raises(grpc.aio.AioRpcError, match="tiny-cross-encoder:1 has no calibration at fp32") as refused:
            await wires.reranker.Rerank(rerank_request("tiny-cross-encoder", QUERY, *PASSAGES, options=options))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        body = {"query": QUERY, "documents": PASSAGES, "score_type": "calibrated"}
        answer = await wires.http.post("/v2/rerank", json=body)
        assert answer.status_code == 400
        assert "tiny-cross-encoder:1 has no calibration" in answer.text
        both = await wires.http.post("/v2/rerank", json=body | {"raw_scores": True})
        assert both.status_code == 400
        assert "raw_scores is true" in both.text


def test_a_calibration_of_other_weights_is_ignored_and_logged(folder, capsys):
    assert load_model(folder).calibration == Temperature(slope=0.5, intercept=-1.0)
    calibration.write(folder, {"0" * 64: STEPS})
    model = load_model(folder)
    assert (model.calibration, model.info.calibration) == (None, "")
    assert "calibration left out" in "".join(capsys.readouterr())


async def test_a_forest_has_its_calibration_too(tmp_path):
    write_forest(tmp_path / "forest")
    info = load_model(tmp_path / "forest").info
    calibration.write(tmp_path / "forest", {info.digest: STEPS})
    asked = pb.RerankRequest(model="forest", feature_set_digest=info.feature_set.digest)
    asked.candidates.extend(pb.Candidate(features=row) for row in odd_rows(20, seed=1))
    async with serving(load([tmp_path])) as client:
        raw = await client.reranker.Rerank(asked)
        asked.options.score_type = pb.SCORE_TYPE_CALIBRATED
        reply = await client.reranker.Rerank(asked)
    assert reply.model.calibration == STEPS.digest
    assert [each.index for each in reply.results] == [each.index for each in raw.results]
    wanted = STEPS.probabilities(np.array([each.relevance_score for each in raw.results]))
    assert [each.relevance_score for each in reply.results] == pytest.approx(wanted.tolist())
    assert len(set(wanted)) > 1


def test_a_damaged_file_refuses_the_folder_by_name(folder):
    digest = load_model(TINY).info.digest
    for content, problem in (
        ("{", "Invalid JSON"),
        (json.dumps({digest: {"method": "magic"}}), "'magic'"),
        (json.dumps({digest: {"method": "temperature", "slope": -2, "intercept": 0}}), "slope"),
    ):
        (folder / "calibration.json").write_text(content)
        with pytest.raises(BadModelFolder, match=rf"calibration\.json: .*{problem}.*calibrate the model again"):
            load_model(folder)


def test_measured_values_are_kept_but_not_in_the_digest(tmp_path):
    plain, told = (Temperature(slope=2.0, intercept=0.1, measured=said) for said in ({}, {"queries": 7}))
    assert plain.digest == told.digest != Temperature(slope=2.0, intercept=0.2).digest
    calibration.write(tmp_path, {"a": told, "b": STEPS})
    assert calibration.read(tmp_path) == {"a": told, "b": STEPS}
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.json"]
