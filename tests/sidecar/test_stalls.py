"""The watch over stalls sees one."""

import ctypes
import sys
import time

import pytest

from tests.sidecar.stalls import Stalls


@pytest.mark.skipif(sys.platform == "win32", reason="usleep is of POSIX")
def test_a_call_that_holds_every_thread_is_a_stall():
    with Stalls() as stalls:
        time.sleep(0.05)
        ctypes.PyDLL(None).usleep(200_000)  # with the lock of the interpreter
        time.sleep(0.05)
    assert stalls.seconds > 0.15
