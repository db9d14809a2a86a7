"""A peer is a process of its own: what it prints besides never reaches the benchmark, and its end is told."""

import sys
from contextlib import ExitStack

import pytest

from benchmarks.contenders import WORKERS, peer

WORKER = """
from protocol import read_task, serve

query, passages = read_task()
print("a banner on stdout")
serve(lambda: [len(query) + len(each) for each in passages], ("numpy", "no-such-package"))
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(WORKERS))
    (tmp_path / "worker.py").write_text(WORKER)
    return tmp_path / "worker.py"


def test_a_peer_scores_the_pairs_and_is_timed_as_often_as_asked(worker):
    import numpy as np

    with ExitStack() as stack:
        found = peer(stack, sys.executable, worker, [], "cat", ["a", "bb"])
        assert found.scores == [4.0, 5.0]
        assert found.versions == {"python": "{}.{}.{}".format(*sys.version_info), "numpy": np.__version__}
        assert all(0 <= found.run() < 1 for _ in range(3))


def test_a_peer_that_exits_is_named_with_the_command_for_its_log(worker):
    worker.write_text("raise SystemExit(3)")
    with (
        ExitStack() as stack,
        pytest.raises(RuntimeError, match=r"worker\.py ended with status 3; to see why: .*python"),
    ):
        peer(stack, sys.executable, worker, [], "cat", ["a"])
