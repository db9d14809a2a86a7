"""OpenVINO computes what ONNX Runtime computes, in bf16 where the CPU has it, and tells nobody."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hybridrank.model_files.errors import BadModelFolder
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models import trial
from hybridrank.sidecar.runtime.onnx_session import OnnxSession
from hybridrank.sidecar.runtime.openvino_session import OpenVinoSession
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from tests.golden.sidecar import FOLDER
from tests.golden.texts import PAIRS

# bf16 keeps 8 bits; rows of the tiny encoder have entries up to 2.6, its logits are up to 2.
DEVIATION = {False: 1e-4, True: 0.1}
OUTPUTS = {"tiny-encoder": "last_hidden_state", "tiny-cross-encoder": "logits"}


def sequence(*token_ids):
    return TokenSequence(token_ids, (0,) * len(token_ids), (False,) * len(token_ids), truncated=False)


BATCH = [sequence(*range(5, 5 + length)) for length in (9, 4, 1)]


@pytest.fixture(params=OUTPUTS)
def sessions(request):
    """The same graph in both, and how far apart they may be."""
    graph, output = FOLDER / request.param / "model.onnx", OUTPUTS[request.param]
    session = OpenVinoSession(graph, output, 0)
    return OnnxSession(graph, output, 0), session, DEVIATION[session.rounds]


def real_rows(output):
    """Without those of padding."""
    return output if output.ndim == 2 else [rows[: len(each)] for rows, each in zip(output, BATCH, strict=True)]


def test_both_runtimes_compute_the_same(sessions):
    onnx, openvino, deviation = sessions
    for found, wanted in zip(real_rows(openvino.run(BATCH)), real_rows(onnx.run(BATCH)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=deviation)


def test_threads_do_not_get_each_other_s_outputs(sessions):
    _, openvino, _ = sessions
    alone = [openvino.run([each]) for each in BATCH]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda each: openvino.run([each]), BATCH * 20))
    for index, output in enumerate(found):
        np.testing.assert_array_equal(output, alone[index % len(BATCH)])


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_folder_is_served_by_openvino_when_asked_for(name):
    onnx, openvino = trial.load_model(FOLDER / name), trial.load_model(FOLDER / name, runtime="openvino")
    assert openvino.info.precision in {"fp32", "bf16"}
    assert openvino.reranker.batches
    for query, passage in PAIRS:
        wanted, found = (each.reranker.score(each.reranker.tokenize(query, [passage])) for each in (onnx, openvino))
        np.testing.assert_allclose(found, wanted, rtol=0, atol=DEVIATION[openvino.info.precision == "bf16"])


@pytest.mark.parametrize(
    ("folder", "settings"),
    [
        (SHIPPED_MODELS / "cross-encoder-minilm-l6", {}),  # int8 alone
        (FOLDER / "tiny-encoder", {"device": "cuda"}),
    ],
)
def test_models_that_openvino_cannot_run_are_refused(folder, settings):
    with pytest.raises(BadModelFolder, match="runtime openvino computes fp32 models on the CPU; export this one"):
        trial.load_model(folder, runtime="openvino", **settings)


def test_a_graph_with_other_outputs_or_none_at_all_is_refused(tmp_path):
    graph = FOLDER / "tiny-encoder" / "model.onnx"
    with pytest.raises(BadModelFolder, match="no output logits; it has last_hidden_state"):
        OpenVinoSession(graph, "logits", 0)
    (tmp_path / "model.onnx").write_bytes(graph.read_bytes()[:1000])
    with pytest.raises(BadModelFolder, match="cannot be read by OpenVINO"):
        OpenVinoSession(tmp_path / "model.onnx", "last_hidden_state", 0)


def run_python(code, home):
    """In a process of its own, with nothing in its environment that would forbid reporting."""
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "TF_BUILD", "GITHUB_ACTIONS"}}
    begin = f"from pathlib import Path; import sys; folder = Path({str(FOLDER / 'tiny-encoder')!r})\n"
    return subprocess.run(
        [sys.executable, "-c", begin + code],
        env={**kept, "HOME": str(home)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_openvino_s_own_telemetry_is_never_imported(tmp_path):
    code = (
        "from hybridrank.sidecar.models import trial; trial.load_model(folder, runtime='openvino')\n"
        "print([name for name, module in sys.modules.items() if name.startswith('openvino_telemetry') and module])"
    )
    assert run_python(code, tmp_path) == "[]\n"
    assert list(tmp_path.iterdir()) == []


def test_without_its_package_the_error_says_what_to_install(tmp_path):
    code = (
        "sys.modules['openvino'] = None\n"
        "from hybridrank.model_files import errors\n"
        "from hybridrank.sidecar.models import trial\n"
        "try: trial.load_model(folder, runtime='openvino')\n"
        "except errors.BadModelFolder as error: print(error)"
    )
    assert "pip install 'hybridrank[openvino]'" in run_python(code, tmp_path)
