"""Cores are counted by what the control group grants, in both of its versions."""

import os

import pytest

from sidecar.runtime.cpu import usable_cores

ALLOWED = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("line", "cores"), [("100000 100000", 1), ("150000 100000", 1), ("50000 100000", 1)])
def test_a_quota_of_version_2_is_rounded_down_to_at_least_one(tmp_path, line, cores):
    (tmp_path / "cpu.max").write_text(line + "\n")
    assert usable_cores(tmp_path) == cores


def test_a_quota_of_version_1(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path) == 1


@pytest.mark.parametrize("line", ["max 100000", "99900000 100000"])
def test_without_a_quota_or_with_a_large_one_affinity_decides(tmp_path, line):
    (tmp_path / "cpu.max").write_text(line + "\n")
    assert usable_cores(tmp_path) == ALLOWED


def test_without_a_control_group_affinity_decides(tmp_path):
    assert usable_cores(tmp_path) == ALLOWED
