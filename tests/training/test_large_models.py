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

from tests.golden.texts import PAIRS

pytestmark = [pytest.mark.large, pytest.mark.timeout(1800)]
FP32_BYTES = 2.27e9
SIZES = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "vocab_size": 250_002,
    "max_position_embeddings": 8194,
    "type_vocab_size": 1,
    "initializer_range": 0.02,
}
SAVE = """
import json, sys
from pathlib import Path
from tests.training import tiny_checkpoints as tiny
folder, head, sizes = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
tiny.save(folder, "xlm-roberta", head, **sizes)
if not head:
    tiny.as_sentence_transformer(folder, "Pooling", **{"1_Pooling__config": {"pooling_mode": "cls"}})
"""
SCORES = """
import json, sys, time
from pathlib import Path
from hybridrank.sidecar import in_process
from tests.golden.texts import PAIRS
started = time.perf_counter()
model = in_process.load_model(Path(sys.argv[1]), precision=sys.argv[2])
loaded = time.perf_counter() - started
scores = [model.reranker.relevance_scores(query, [passage])[0] for query, passage in PAIRS]
json.dump({"loaded": loaded, "scores": scores}, sys.stdout)
"""


@dataclass(frozen=True)
class Run:
    """Output of a process, the seconds that it took, and its peak memory in bytes."""

    printed: str
    seconds: float
    peak: int


def run(*arguments):
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([sys.executable, *map(str, arguments)], stdout=output)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read().decode()
    assert process.returncode == 0, printed
    return Run(printed, time.perf_counter() - started, used.ru_maxrss * 1024)


@pytest.mark.parametrize(("kind", "head"), [("cross-encoder", "ForSequenceClassification"), ("encoder", "")])
def test_a_large_model_is_exported_loaded_and_scored(kind, head, capsys):
    with tempfile.TemporaryDirectory() as temporary:
        source, out = Path(temporary, "source"), Path(temporary, "out")
        sizes = {**SIZES, "num_labels": 1} if head else SIZES
        run("-c", SAVE, source, head, json.dumps(sizes))
        exported = run("-m", "hybridrank", "model", "export", source, "--out", out)
        size = {each.name: each.stat().st_size for each in out.iterdir()}
        served = {precision: run("-c", SCORES, out, precision) for precision in ("fp32", "int8")}
        scores = {precision: json.loads(each.printed)["scores"] for precision, each in served.items()}
        wanted = _by_the_library(source, kind)
    with capsys.disabled():
        print(f"\n{kind}: exported in {exported.seconds:.0f} s, peak {exported.peak / 1e9:.2f} GB; files {size}")
        for precision, each in served.items():
            print(f"{precision}: loaded in {json.loads(each.printed)['loaded']:.1f} s, peak {each.peak / 1e9:.2f} GB")
    assert size["model.fp32.onnx.data"] == pytest.approx(FP32_BYTES, rel=0.02)
    assert exported.peak < 2.5 * FP32_BYTES
    assert max(each.peak for each in served.values()) < FP32_BYTES
    np.testing.assert_allclose(scores["fp32"], wanted, atol=1e-4)
    assert np.corrcoef(scores["int8"], scores["fp32"])[0, 1] > 0.9


def _by_the_library(source, kind):
    from tests.training.families import classifiers, encoders

    if kind == "cross-encoder":
        return classifiers.logits(source, PAIRS, 8192)[:, 0]
    vectors = encoders.vectors(source, PAIRS, 8192)
    return (vectors[:, 0] * vectors[:, 1]).sum(axis=-1)
