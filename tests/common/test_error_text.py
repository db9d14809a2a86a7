"""Messages of pydantic and the system, in every place that shows them to people."""

import json
import sys

import pytest

from hybridrank.cli.__main__ import main
from hybridrank.evaluation.experiments.configuration import Configuration
from hybridrank.evaluation.reproduce.experiment_files import Experiment
from hybridrank.ltr_features import FeatureSet
from hybridrank.model_files import calibration, self_test
from hybridrank.sidecar.app.settings import load_settings
from hybridrank.sidecar.transport.http.bodies import RerankBody, parse
from hybridrank.training.ltr.train import load_options
from hybridrank.training.neural.recipe import load_recipe

FEATURE = {"name": "rank", "kind": "fused", "value_of": "rank"}
SOURCE = {"collection": "menu", "lists": "menu.jsonl"}
GOLDEN = [{"kind": "cross-encoder", "query": "q", "passages": ["a"], "relevance_scores": []}]
LEVEL = {"method": "isotonic", "raw": [1.0, 0.0], "values": [0.5, 0.5]}


@pytest.mark.parametrize(
    ("read", "file", "content"),
    [
        (Configuration.load, "c.json", {"retrievers": ["bm25"], "rescore": {"model": "m", "weight": -1}}),
        (Experiment.load, "e.json", {"collection": "c", "training": "t", "pipelines": {"bm25": None}, "baseline": "x"}),
        (FeatureSet.load, "f.json", {"name": "f", "features": [FEATURE, FEATURE]}),
        (load_options, "o.json", {"early_stopping": "soon"}),
        (
            load_recipe,
            "r.json",
            {"name": "r", "student": {"base": "b"}, "train": [SOURCE], "dev": [SOURCE], "losses": []},
        ),
        (lambda path: calibration.read(path.parent), "calibration.json", {"0" * 64: LEVEL}),
        (lambda path: self_test.read(path.parent), "selftest.json", GOLDEN),
        (lambda path: parse(RerankBody, path.read_bytes()), "body.json", {"query": "q", "documents": "d"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_messages_have_no_error_codes(tmp_path, read, file, content):
    (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(Exception) as caught:  # noqa: PT011
        read(tmp_path / file)
    said = str(caught.value)
    assert "Value error" not in said
    assert "pydantic" not in said
    assert "input_value" not in said


def test_a_setting_that_is_wrong_is_said_without_codes(monkeypatch):
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_NAMES", "rerank")
    with pytest.raises(ValueError, match=r"^names: 'rerank' is not NAME=MODEL") as caught:
        load_settings()
    assert "Value error" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("search {long} --index x --engine embedded:{tmp}", "query_text: "),
        ("search tea --index ,, --engine embedded:{tmp}", "index: "),
        ("search tea --index x --engine embedded:{tmp}/file/x", "file"),
    ],
)
def test_commands_say_what_is_wrong_without_codes(tmp_path, monkeypatch, capsys, command, said):
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    words = [each.format(tmp=tmp_path, long="\ud83d") for each in command.split()]
    monkeypatch.setattr(sys, "argv", ["hybridrank", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr().err
    assert ended.value.code
    assert said in shown
    assert not [each for each in ("Value error", "Errno", "pydantic", "input_value") if each in shown]
