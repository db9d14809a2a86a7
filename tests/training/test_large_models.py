"""The largest models that people serve on CPUs, at their real size: XLM-RoBERTa large, 560 million parameters.

`make test-large` runs it, once before a release: about ten minutes, 8 GB of memory, 12 GB of disk. It prints the
figures of docs/models.md. Weights are random, in the layout of the hub.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hybridrank.model_files import model_folder

pytestmark = [pytest.mark.large, pytest.mark.timeout(1800)]
FP32_BYTES = 2.27e9
SCORES = """
import json, sys, time
from pathlib import Path
from hybridrank.sidecar import in_process
from tests.golden.texts import PAIRS
started = time.perf_counter()
model = in_process.load_model(Path(sys.argv[1]), precision=sys.argv[2])
loaded = time.perf_counter() - started
if model.encoder:
    scores = [in_process.cosines(model.encoder, query, [passage])[0] for query, passage in PAIRS]
else:
    scores = [model.reranker.relevance_scores(query, [passage])[0] for query, passage in PAIRS]
print(json.dumps({"loaded": loaded, "scores": scores}))
"""
LIBRARY = """
import json, sys
from pathlib import Path
from tests.golden.texts import PAIRS
from tests.training.families import classifiers, encoders
source, kind, max_tokens = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if kind == "encoder":
    vectors = encoders.vectors(source, PAIRS, max_tokens)
    scores = (vectors[:, 0] * vectors[:, 1]).sum(axis=-1)
else:
    scores = classifiers.logits(source, PAIRS, max_tokens)[:, 0]
print(json.dumps(scores.tolist()))
"""


@dataclass(frozen=True)
class Run:
    """Output of a process, the seconds that it took, and its peak memory in bytes."""

    printed: str
    seconds: float
    peak: int


def run(*arguments):
    """Runs Python on them. Its peak would count this process's memory too, so this one never holds a model."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([sys.executable, *map(str, arguments)], stdout=output)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read().decode()
    assert process.returncode == 0, printed
    return Run(printed, time.perf_counter() - started, used.ru_maxrss * 1024)


@pytest.mark.parametrize("kind", ["cross-encoder", "encoder"])
def test_a_large_model_is_exported_loaded_and_scored(kind, capsys):
    with tempfile.TemporaryDirectory() as temporary:
        source, out = Path(temporary, "source"), Path(temporary, "out")
        run("-m", "tests.training.large_checkpoints", source, kind)
        exported = run("-m", "hybridrank", "model", "export", source, "--out", out)
        size = {each.name: each.stat().st_size for each in out.iterdir()}
        served = {precision: run("-c", SCORES, out, precision) for precision in ("fp32", "int8")}
        found = {precision: json.loads(each.printed.splitlines()[-1]) for precision, each in served.items()}
        library = run("-c", LIBRARY, source, kind, model_folder.read(out).toml.max_tokens)
        wanted = json.loads(library.printed.splitlines()[-1])
    with capsys.disabled():
        print(f"\n{kind}: exported in {exported.seconds:.0f} s, peak {exported.peak / 1e9:.2f} GB; files {size}")
        for precision, each in served.items():
            print(f"{precision}: loaded in {found[precision]['loaded']:.1f} s, peak {each.peak / 1e9:.2f} GB")
    assert size["model.fp32.onnx.data"] == pytest.approx(FP32_BYTES, rel=0.02)
    assert exported.peak < 2.5 * FP32_BYTES
    assert max(each.peak for each in served.values()) < FP32_BYTES
    np.testing.assert_allclose(found["fp32"]["scores"], wanted, atol=1e-4)
    assert np.corrcoef(found["int8"]["scores"], found["fp32"]["scores"])[0, 1] > 0.9
