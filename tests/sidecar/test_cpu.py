"""Cores are counted by what the control group grants, in both of its versions; int8 is found in real /proc/cpuinfo."""

import os

import pytest

from hybridrank.sidecar.runtime.cpu import multiplies_int8, read_cpuinfo, usable_cores

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


# Excerpts of /proc/cpuinfo; of long lines, the parts around what matters.
WITH_INT8 = {
    "EPYC (Zen 5)": "model name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512bw avx512vl avx_vnni avx512_vnni rdpid fsrm",
    "Xeon (Cascade Lake)": "flags\t\t: fpu avx2 avx512f avx512cd avx512bw avx512vl arat avx512_vnni arch_capabilities",
    "Xeon (Sapphire Rapids)": "flags\t\t: fpu avx512vl avx_vnni avx512_vnni amx_bf16 avx512_fp16 amx_tile amx_int8",
    "Neoverse N1": "Features\t: fp asimd evtstrm aes fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs\n"
    "CPU implementer\t: 0x41\nCPU part\t: 0xd0c",
    "Raspberry Pi 5": "processor\t: 0\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp "
    "asimdhp cpuid asimdrdm lrcpc dcpop asimddp\n\nprocessor\t: 1",
}
WITHOUT_INT8 = {
    "Xeon (Skylake)": "flags\t\t: fpu avx2 avx512f avx512dq rdseed adx clwb avx512cd avx512bw avx512vl xsaveopt pku",
    "Core (Haswell)": "flags\t\t: fpu vme de pse tsc msr sse4_1 sse4_2 x2apic movbe popcnt avx f16c fma avx2 bmi2 erms",
    "Raspberry Pi 4": "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU part\t: 0xd08",
    "nothing to read": "",
    "another line that names it": "model name\t: Imaginary avx512_vnni\nflags\t\t: fpu avx2",
}


@pytest.mark.parametrize("cpuinfo", WITH_INT8.values(), ids=WITH_INT8)
def test_a_cpu_with_dot_products_of_int8(cpuinfo):
    assert multiplies_int8(cpuinfo)


@pytest.mark.parametrize("cpuinfo", WITHOUT_INT8.values(), ids=WITHOUT_INT8)
def test_a_cpu_without(cpuinfo):
    assert not multiplies_int8(cpuinfo)


def test_cpuinfo_is_read_where_there_is_one(tmp_path):
    (tmp_path / "cpuinfo").write_text("flags : amx_int8")
    assert multiplies_int8(read_cpuinfo(tmp_path / "cpuinfo"))
    assert read_cpuinfo(tmp_path / "none") == ""
