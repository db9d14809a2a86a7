"""Processes are stopped by number and start time, never by number alone."""

import subprocess
import sys
import time

import pytest

from hybridrank.local_engines.process import ProcessId, is_running, leash, process_id, stop, unleash

DEADLINE_S = 20


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def ended(pid):
    """Wait until no process has this number."""
    deadline = time.monotonic() + DEADLINE_S
    while process_id(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process_id(pid) is None


def test_a_process_is_stopped(sleeper):
    identity = process_id(sleeper.pid)
    assert is_running(identity)
    assert stop([identity]) == (identity,)
    assert not is_running(identity)
    assert sleeper.wait() == -15


def test_a_process_with_a_reused_pid_is_left_alone(sleeper):
    earlier = ProcessId(sleeper.pid, "another boot/1")
    assert stop([earlier]) == ()
    assert sleeper.poll() is None


def test_a_process_that_ignores_termination_is_killed():
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        stop([process_id(process.pid)], grace_s=0.3)
        assert process.wait() == -9


def test_a_zombie_counts_as_ended():
    with subprocess.Popen(["true"]) as process:
        assert ended(process.pid)


def test_a_leashed_process_ends_with_its_owner(tmp_path):
    program = (
        "import subprocess, sys, time\n"
        "from hybridrank.local_engines.process import leash\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "held = leash(child.pid)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
        child = int(holder.stdout.readline())
        assert process_id(child)
        holder.kill()
    assert ended(child)


def test_a_process_let_off_the_leash_lives_on(sleeper):
    unleash(leash(sleeper.pid))
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.3)
