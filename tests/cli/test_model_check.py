"""`--check` compares the folder that export or import writes with its source, in a table or as JSON."""

import json

import numpy as np
import pytest
import typer
from scipy.stats import spearmanr
from typer.testing import CliRunner

from hybridrank.cli.actions import model_check
from hybridrank.cli.app import app
from hybridrank.model_files import model_folder
from hybridrank.sidecar import in_process
from hybridrank.training.onnx.checking import scores as check
from tests.training.onnx_sources import TINY, files, folder


def invoked(*arguments):
    return CliRunner().invoke(app, ["model", *map(str, arguments)])


def row(lines, what):
    (line,) = (line.split() for line in lines.splitlines() if line.strip().startswith(f"{what} "))
    return line


def test_an_import_is_compared_with_its_source(tmp_path):
    source = folder(tmp_path / "tiny", files())
    asked = ("--kind", "encoder", "--pooling", "mean", "--max-tokens", "40", "--quantize", "--check")
    run = invoked("import", source, "--out", tmp_path / "out", *asked)
    assert run.exit_code == 0, run.output
    assert float(row(run.stdout, "the source")[-1]) > 0
    what, *beside, difference, spearman, swapped, _of, pairs, per_s = row(run.stdout, "fp32")
    assert (what, beside, spearman, swapped) == ("fp32", ["the", "source"], "1.0000", "0")
    assert float(difference) < 1e-5
    assert int(pairs) > 20
    assert float(per_s) > 0
    assert row(run.stdout, "int8")[1] == "fp32"
    assert 0 < float(row(run.stdout, "int8")[2]) < 0.1


def test_json_holds_the_folder_and_the_comparison(tmp_path):
    source, out = folder(tmp_path / "tiny", files()), tmp_path / "out"
    asked = ("--kind", "encoder", "--pooling", "mean", "--max-tokens", "40", "--json")
    found = json.loads(invoked("import", source, "--out", out, *asked, "--check").stdout)
    assert found["digest"] == model_folder.read(out).toml.digest
    assert (found["precisions"], found["kind"], found["path"]) == (["fp32"], "encoder", str(out))
    original, fp32 = found["check"]
    assert (original["what"], original["beside"], fp32["what"], fp32["beside"]) == (
        "the source",
        "",
        "fp32",
        "the source",
    )
    without = json.loads(invoked("import", source, "--out", tmp_path / "other", *asked).stdout)
    assert without["check"] == []


class Moved:
    """A session whose logits are those of the folder's graph, further by a hundredth for each pair before them."""

    rounds = False

    def __init__(self, opened, output, padding_id):
        self.session = in_process.OnnxSession(opened.onnx, output, padding_id)

    def run(self, sequences):
        return self.session.run(sequences) + 0.01 * np.arange(len(sequences))[:, np.newaxis]


def test_an_original_with_other_scores_is_an_error(capsys):
    path = TINY["cross-encoder"]
    rows = check.checked(path, "another", Moved, lambda count: None)
    assert [(each.what, each.same) for each in rows] == [("another", True), ("fp32", False)]
    assert rows[1].difference == pytest.approx(0.04, abs=1e-5)
    with pytest.raises(typer.Exit) as caught:
        model_check.report(path, model_folder.read(path), rows, as_json=False)
    assert caught.value.exit_code == 1
    expected = f"error: scores at fp32 differ from those of another by 0.04: do not serve {path}\n"
    assert capsys.readouterr().err == expected


def test_models_after_the_comparison_run_their_own_graphs():
    path = TINY["cross-encoder"]
    with in_process.computed_by(Moved):
        moved = in_process.load_untested(path, "fp32").reranker
    own = in_process.load_untested(path, "fp32").reranker
    scores = [each.relevance_scores("rank", ["passage", "query"]) for each in (moved, own)]
    np.testing.assert_allclose(np.subtract(*scores), [0, 0.01], atol=1e-6)


def test_spearman_is_that_of_scipy_with_ties():
    random = np.random.default_rng(7)
    for a, b in random.integers(0, 9, (20, 2, 30)):
        assert check.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-6)


@pytest.mark.torch
def test_prefixes_are_those_of_an_encoder(tmp_path):
    from tests.training import tiny_checkpoints

    source = tiny_checkpoints.save(tmp_path / "source", "bert", "ForSequenceClassification", num_labels=1)
    for option in ("--query-prefix", "--document-prefix"):
        run = invoked("export", source, "--out", tmp_path / "out", option, "ask: ")
        assert run.exit_code == 1
        assert "error: prefixes are those of an encoder, and " in run.stderr


@pytest.mark.torch
def test_an_export_is_compared_with_transformers(tmp_path):
    from tests.training import tiny_checkpoints

    source = tiny_checkpoints.save(tmp_path / "source", "bert", "ForSequenceClassification", num_labels=2)
    run = invoked("export", source, "--out", tmp_path / "out", "--relevant-label", "LABEL_0", "--check")
    assert run.exit_code == 0, run.output
    assert run.stderr.count("source reads 48 tokens: the limit of its positions\n") == 1
    assert row(run.stdout, "fp32")[1] == "transformers"
    assert float(row(run.stdout, "fp32")[2]) < 1e-4
    assert row(run.stdout, "int8")[1] == "fp32"
    assert float(row(run.stdout, "transformers")[1]) > 0
