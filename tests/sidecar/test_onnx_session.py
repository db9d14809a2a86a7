"""The ONNX session: what it feeds, what it refuses, and that it keeps to itself."""

import os
import subprocess
import sys

import numpy as np

from hybridrank.sidecar.runtime.onnx_session import padded
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from tests.golden.sidecar import FOLDER


def sequence(*token_ids):
    return TokenSequence(token_ids, (1,) * len(token_ids), (False,) * len(token_ids), truncated=False)


def test_shorter_sequences_are_padded_on_the_right_and_masked():
    inputs = padded([sequence(7, 8, 9), sequence(5)], padding_id=4)
    np.testing.assert_array_equal(inputs["input_ids"], [[7, 8, 9], [5, 4, 4]])
    np.testing.assert_array_equal(inputs["attention_mask"], [[1, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(inputs["token_type_ids"], [[1, 1, 1], [1, 0, 0]])


def test_loading_a_model_leaves_no_trace_of_telemetry(tmp_path):
    """ONNX Runtime writes a device id below the cache folder as soon as it may report; some variables forbid it too."""
    forbidding = {"CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "TF_BUILD", "GITHUB_ACTIONS", "BUILD_ID"}
    variables = {name: value for name, value in os.environ.items() if name not in forbidding}
    load = "from pathlib import Path; from hybridrank.sidecar.models import loading; "
    code = load + f"loading.load([Path({str(FOLDER)!r})])"
    subprocess.run(
        [sys.executable, "-c", code],
        env={**variables, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        check=True,
    )
    assert list(tmp_path.iterdir()) == []
