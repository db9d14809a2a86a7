"""Files of a model that were cut or spoilt: the sidecar does not start, exits with 1, and says what is wrong where."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from hybridrank.model_files import model_folder
from hybridrank.models import SHIPPED_MODELS
from tests.golden.sidecar import FOLDER, TINY_KINDS

NAMES = sorted(TINY_KINDS)
ONES = np.ones(32, dtype="<f4").tobytes()  # the gain of a normalisation layer, as the untrained tiny models have it


@pytest.fixture(params=NAMES)
def folder(request, tmp_path):
    return shutil.copytree(FOLDER / request.param, tmp_path / request.param)


def cut(file):
    raw = file.read_bytes()
    file.write_bytes(raw[: len(raw) // 2])


def sign(folder):
    """Have model.toml name the files as they are now, as if they had been exported so."""
    toml = model_folder.TOMLS[TINY_KINDS[folder.name]].model_validate(
        model_folder.tomllib.loads((folder / "model.toml").read_text())
    )
    model_folder.write(folder, toml)


def refusal(folder):
    """Returns the message of a sidecar that does not start."""
    command = [sys.executable, "-m", "hybridrank.sidecar", "--port", "0", "--http-port", "-1", "--models", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "Traceback" not in done.stderr
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"the sidecar cannot start: {folder}: ")
    return said


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_was_cut_does_not_have_its_digest(folder, name):
    cut(folder / name)
    said = refusal(folder)
    assert "the files have digest" in said
    assert "fetch the model again" in said


def test_a_graph_that_was_cut_before_its_digest_was_taken(folder):
    cut(folder / "model.onnx")
    sign(folder)
    assert "model.onnx cannot be read by ONNX Runtime" in refusal(folder)


def test_a_tokenizer_that_was_cut_before_its_digest_was_taken(folder):
    cut(folder / "tokenizer.json")
    sign(folder)
    assert "tokenizer.json cannot be read: " in refusal(folder)


def test_a_tokenizer_of_another_model(folder):
    shutil.copy(SHIPPED_MODELS / "encoder-minilm-l6" / "tokenizer.json", folder / "tokenizer.json")
    sign(folder)
    assert "the model loads but does not work here: " in refusal(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(folder, value):
    raw = (folder / "model.onnx").read_bytes()
    assert ONES in raw
    (folder / "model.onnx").write_bytes(raw.replace(ONES, np.full(32, value, dtype="<f4").tobytes()))
    sign(folder)
    assert "its weights hold NaN or are too large; export it again" in refusal(folder)
