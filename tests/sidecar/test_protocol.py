"""The protocol is what the proto says, and light enough for a client."""

import shutil
import subprocess
import sys

from tests.stubs import SLICE, STUBS, stale

HEAVY = (
    "numpy",
    "onnxruntime",
    "tokenizers",
    "pydantic",
    "structlog",
    "hybridrank.sidecar.service",
    "hybridrank.sidecar.types",
)


def test_the_stubs_are_what_the_proto_generates():
    assert stale() == []


def test_a_stale_or_missing_stub_is_shown(tmp_path):
    for stub in STUBS:
        (tmp_path / stub).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SLICE / stub, tmp_path / stub)
    assert stale(tmp_path) == []
    with (tmp_path / STUBS[0]).open("a") as file:
        file.write("edited = True\n")
    (tmp_path / STUBS[1]).unlink()
    first, second = stale(tmp_path)
    assert "-edited = True" in first
    assert f"{STUBS[1]} (committed)" in second


def test_a_client_loads_nothing_heavy_with_the_protocol():
    code = "import sys, hybridrank.sidecar.protocol.rerank_pb2_grpc; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "grpc" in loaded
    assert [name for name in HEAVY if name in loaded] == []
