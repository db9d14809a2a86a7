"""Environment of an experiment: enough to decide whether two results may be compared."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hybridrank.connector import ModelInfo
from hybridrank.connector.types import EngineInfo

__all__ = ["describe_environment"]


def describe_environment(engine: EngineInfo | None, models: Sequence[ModelInfo]) -> dict[str, Any]:
    """Returns engine, models with their digests, hardware and versions, as JSON values."""
    searched = engine and {"name": engine.name, "version": engine.version, "capabilities": sorted(engine.capabilities)}
    return {
        **({"engine": searched} if searched else {}),
        "models": [{**asdict(each), "aliases": list(each.aliases)} for each in models],
        "hardware": {"cpu": _cpu_name(), "cores": _usable_cores(), "machine": platform.machine()},
        "python": platform.python_version(),
        "hybridrank": version("hybridrank"),
    }


def _usable_cores() -> int:
    """Returns the number of cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_name() -> str:
    """Returns the processor's name from Linux; elsewhere from Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")
