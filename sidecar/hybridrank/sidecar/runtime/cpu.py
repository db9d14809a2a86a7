"""Capabilities of this CPU: the number of usable cores, and int8 multiplication without saturation."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
CPUINFO = Path("/proc/cpuinfo")
# Int8 dot products that add in 32 bits, by Linux' names. Without them x86 adds pairs of products in 16 bits, which
# saturates unless the weights leave a bit free; and int8 gains little speed. asimddp is ARM's dotprod.
INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Returns the number of cores in our affinity mask, or fewer if a container's CPU quota is lower; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return allowed if quota is None else max(1, min(allowed, math.floor(quota)))


def multiplies_int8(cpuinfo: str) -> bool:
    """Returns True if the text of /proc/cpuinfo lists int8 instructions: VNNI or AMX on x86, dotprod or i8mm on ARM.

    Returns False if it lists nothing.

    >>> multiplies_int8("processor : 0\\nFeatures : fp asimd asimddp"), multiplies_int8("flags : fpu sse avx2 fma")
    (True, False)
    """
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    flags = (flag for name, _, words in lines if name.strip() in {"flags", "Features"} for flag in words.split())
    return not INT8_FLAGS.isdisjoint(flags)


def read_cpuinfo(path: Path = CPUINFO) -> str:
    """Returns the text of /proc/cpuinfo, empty on systems without it."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _quota(cgroup: Path) -> float | None:
    """Returns the cores that the control group grants (version 2, then 1), None for no limit."""
    v2, v1 = cgroup / "cpu.max", cgroup / "cpu" / "cpu.cfs_quota_us"
    if v2.is_file():
        quota, period = v2.read_text().split()
    elif v1.is_file():
        quota, period = v1.read_text().strip(), (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
    else:
        return None
    return None if quota in {"max", "-1"} else int(quota) / int(period)
