"""A model is tried on golden pairs before it serves; what gets them wrong gives way to fp32, or is refused."""

import shutil

import numpy as np
import pytest
from structlog.testing import capture_logs

from hybridrank.model_files import model_folder, self_test
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models import trial
from hybridrank.training.onnx.golden_pairs import reference
from tests.golden.sidecar import FOLDER
from tests.sidecar.doubles import BrokenModel, loaded
from tests.sidecar.forests import write_forest

ONES = np.ones(32, dtype="<f4").tobytes()  # the scales of the tiny models' layer norms


@pytest.fixture(params=["tiny-cross-encoder", "tiny-encoder"])
def fp32(request, tmp_path):
    """A folder of one fp32 model, with golden pairs."""
    folder = shutil.copytree(FOLDER / request.param, tmp_path / "model")
    self_test.write(folder, reference(trial.load_model(folder)))
    return folder


@pytest.fixture
def both(fp32):
    """A folder that says it has int8 and fp32. The two graphs are the same, until a test damages model.onnx."""
    shutil.copyfile(fp32 / "model.onnx", fp32 / "model.fp32.onnx")
    rewrite(fp32, precision="int8", reduced_range=True)
    return fp32


def rewrite(folder, **fields):
    toml = model_folder.read(FOLDER / folder_name(folder)).toml
    model_folder.write(folder, toml.model_copy(update=fields))


def folder_name(folder):
    return "tiny-cross-encoder" if "cross-encoder" in (folder / "model.toml").read_text() else "tiny-encoder"


def damage(folder, scale):
    """Multiply some weights of model.onnx, and write the digests that it then has."""
    graph = (folder / "model.onnx").read_bytes()
    assert ONES in graph
    scales = np.ones(32, dtype="<f4")
    scales[::2] = scale
    (folder / "model.onnx").write_bytes(graph.replace(ONES, scales.tobytes()))
    rewrite(folder, precision="int8", reduced_range=True)


def warnings(logs):
    return [line for line in logs if line["log_level"] == "warning"]


def test_int8_that_passes_serves_and_fp32_does_when_asked_for(both):
    with capture_logs() as logs:
        int8, fp32 = trial.load_model(both), trial.load_model(both, precision="fp32")
    assert (int8.info.precision, fp32.info.precision) == ("int8", "fp32")
    assert (int8.reranker.batches, fp32.reranker.batches) == (False, True)
    assert fp32.info.digest == model_folder.read(FOLDER / folder_name(both)).info.digest != int8.info.digest
    assert warnings(logs) == []


def test_int8_that_fails_gives_way_to_fp32_and_the_log_says_so(both):
    damage(both, -4.0)
    with capture_logs() as logs:
        model = trial.load_model(both)
    assert model.info.precision == "fp32"
    assert model.info.digest == model_folder.read(both).toml.fp32_digest
    (line,) = warnings(logs)
    assert line["event"] == "another precision or device serves in its place"
    assert (line["model"], line["precision"]) == (folder_name(both), "int8")
    assert "golden pairs swapped" in line["problem"]


def test_int8_that_fails_with_nothing_to_give_way_to_is_refused(both):
    (both / "model.fp32.onnx").unlink()
    damage(both, -4.0)
    with pytest.raises(BadModelFolder, match=r"its self-test failed at int8 on cpu: \d+ of \d+ golden pairs swapped"):
        trial.load_model(both)


def test_scores_that_are_a_little_off_serve_with_a_warning(both):
    (both / "model.fp32.onnx").unlink()
    golden = self_test.read(both)
    spread = np.std([each.relevance_scores for each in golden])
    moved = [
        each.model_copy(update={"relevance_scores": tuple(score + 0.7 * spread for score in each.relevance_scores)})
        for each in golden
    ]
    self_test.write(both, moved)
    rewrite(both, precision="int8")
    with capture_logs() as logs:
        assert trial.load_model(both).info.precision == "int8"
    (line,) = warnings(logs)
    assert line["event"] == "serves, with other scores than the reference"
    assert "it ranks alike, 0 of" in line["problem"]
    assert "scores moved by up to 0.70 standard deviations" in line["problem"]


def test_int8_whose_scores_alone_moved_does_not_give_way(both):
    golden = self_test.read(both)
    spread = np.std([each.relevance_scores for each in golden])
    moved = [
        each.model_copy(update={"relevance_scores": tuple(score + 0.9 * spread for score in each.relevance_scores)})
        for each in golden
    ]
    self_test.write(both, moved)
    with capture_logs() as logs:
        assert trial.load_model(both).info.precision == "int8"
    assert "it ranks alike" in warnings(logs)[0]["problem"]


def test_weights_with_nan_are_refused_with_what_to_do(both):
    (both / "model.fp32.onnx").unlink()
    damage(both, np.nan)
    with pytest.raises(BadModelFolder, match="its weights hold NaN or are too large; export it again"):
        trial.load_model(both)


def test_int8_with_nan_gives_way_to_fp32_too(both):
    damage(both, np.nan)
    with capture_logs() as logs:
        assert trial.load_model(both).info.precision == "fp32"
    assert "its weights hold NaN" in warnings(logs)[0]["problem"]


def test_a_graph_that_onnx_runtime_cannot_read_is_named(both):
    (both / "model.fp32.onnx").unlink()
    (both / "model.onnx").write_bytes(b"not a graph")
    rewrite(both, precision="int8")
    with pytest.raises(BadModelFolder, match=r"model\.onnx cannot be read by ONNX Runtime"):
        trial.load_model(both)


@pytest.mark.parametrize("fields", [{"query_prefix": "RerankPassage number one hundred and two: "}, {"pooling": "cls"}])
def test_a_field_that_changes_the_output_fails_the_self_test(fields, tmp_path):
    """The digest is in order; only what comes out is not what was exported. Late interaction does not pool."""
    folder = shutil.copytree(SHIPPED_MODELS / "encoder-minilm-l6", tmp_path / "model")
    model_folder.write(folder, model_folder.read(folder).toml.model_copy(update=fields))
    with pytest.raises(BadModelFolder, match="its self-test failed at int8 on cpu"):
        trial.load_model(folder)


def test_a_folder_without_golden_pairs_needs_only_finite_numbers(both):
    (both / "selftest.json").unlink()
    damage(both, -4.0)
    assert trial.load_model(both).info.precision == "int8"


def test_an_unknown_kind_is_refused_by_name(tmp_path):
    (tmp_path / "model.toml").write_text('kind = "oracle"')
    problem = "kind is 'oracle'; it must be one of encoder, cross-encoder, colbert, splade, prompt-reranker"
    with pytest.raises(BadModelFolder, match=problem):
        trial.load_model(tmp_path)


def test_golden_pairs_of_a_model_without_texts_are_refused(fp32, tmp_path):
    folder = write_forest(tmp_path / "forest").path
    shutil.copyfile(fp32 / "selftest.json", folder / "selftest.json")
    with pytest.raises(BadModelFolder, match=r"selftest\.json cannot be used: .*forest is a lambdamart"):
        trial.load_model(folder)


def test_cuda_is_refused_where_there_is_none(fp32):
    with pytest.raises(BadModelFolder, match="pip install onnxruntime-gpu"):
        trial.load_model(fp32, device="cuda")
    assert trial.load_model(fp32, device="auto").info.precision == "fp32"


@pytest.mark.parametrize("name", ["cross-encoder-minilm-l6", "cross-encoder-nano", "encoder-minilm-l6"])
def test_the_shipped_models_pass_their_self_test_on_this_machine(shipped, name):
    golden = self_test.read(SHIPPED_MODELS / name)
    assert [len(each.passages) for each in golden] == [6] * 8
    verdict = trial.score_golden_pairs(shipped.get(name), golden)
    assert verdict.within, str(verdict)
    assert verdict.pairs > 60


@pytest.mark.parametrize("name", ["cross-encoder-minilm-l6", "encoder-minilm-l6"])
def test_golden_pairs_have_near_ties_and_a_good_first_passage(name):
    for each in self_test.read(SHIPPED_MODELS / name):
        spread = np.std([golden.relevance_scores for golden in self_test.read(SHIPPED_MODELS / name)])
        assert max(each.relevance_scores) - each.relevance_scores[0] < 0.5 * spread
    gaps = [np.diff(sorted(each.relevance_scores)).min() for each in self_test.read(SHIPPED_MODELS / name)]
    assert min(gaps) < 0.1 * spread


def test_a_model_that_returns_nan_fails_the_self_check():
    assert "scores [" in str(trial.self_check(loaded(BrokenModel())))


def test_a_model_that_works_passes_the_self_check(shipped):
    assert [trial.self_check(model) for model in shipped] == [None, None, None]
