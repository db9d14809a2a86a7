"""Memory that was freed goes back to the system."""

import platform
import threading
from pathlib import Path

import pytest

from hybridrank.sidecar.runtime.memory import trim


def resident_mb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) >> 10


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is freed, and can be told not to")
def test_trim_returns_memory_that_threads_freed_to_the_system():
    kept = []

    def fragment():
        held = [bytes(1000) for _ in range(60_000)]
        kept.append(held[-1])  # above all that is freed now, so that the pool does not shrink by itself

    threads = [threading.Thread(target=fragment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    before = resident_mb()
    trim()
    assert resident_mb() < before - 100
