"""Extras of the package: the modules of each, and the `pip install` line for those that are missing."""

import sys
from collections.abc import Mapping
from importlib.util import find_spec

from hybridrank.common.errors import HybridrankError

__all__ = ["EXTRAS", "MissingExtra", "install_line", "missing", "module_missing", "require"]

_TOML = () if sys.version_info >= (3, 11) else ("tomli",)

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "cli": ("typer", "rich", "pydantic_settings", *_TOML),
    "opensearch": ("aiohttp", "opensearchpy"),
    "elasticsearch": ("aiohttp", "elasticsearch"),
    "embedded": ("numpy", "tantivy"),
    "sidecar": (
        "aiohttp",
        "fastapi",
        "grpc_health",
        "grpc_reflection",
        "lightgbm",
        "numpy",
        "onnxruntime",
        "prometheus_client",
        "pydantic_settings",
        "structlog",
        "tokenizers",
        "uvicorn",
        *_TOML,
    ),
    "otel": ("opentelemetry",),
    "eval": ("ir_measures", "numpy", "scipy", "yaml"),
    "ltr": ("lightgbm", "numpy", "yaml", *_TOML),
    "openvino": ("numpy", "openvino"),
    "pyserini": ("pyserini",),
    "tune": ("optuna", "yaml"),
    "engines": ("jgo", "requests", "rich"),
    "quantize": ("onnx",),
    "train": (
        "accelerate",
        "matplotlib",
        "onnx",
        "onnxscript",
        "sentence_transformers",
        "torch",
        "transformers",
        "yaml",
    ),
}
"""Extra → the top-level modules of its packages in pyproject.toml."""


class MissingExtra(HybridrankError, ImportError):
    """Packages are not installed; the message has the `pip install` line."""


def missing(*extras: str) -> list[str]:
    """Returns the extras that are not installed, or only in part."""
    return [extra for extra in extras if any(find_spec(module) is None for module in EXTRAS[extra])]


def install_line(*extras: str) -> str:
    """Returns the command that installs them.

    >>> install_line("sidecar", "cli")
    "pip install 'hybridrank[cli,sidecar]'"
    """
    return f"pip install 'hybridrank[{','.join(sorted(extras))}]'"


def require(what: str, *extras: str, also: tuple[str, ...] = ()) -> None:
    """Checks that the extras of `what` are installed. Raises MissingExtra, whose line also installs those of `also`."""
    if absent := missing(*extras):
        wanted = dict.fromkeys([*absent, *missing(*also)])
        raise MissingExtra(f"{what} needs packages that are not installed: {install_line(*wanted)}")


def module_missing(error: ModuleNotFoundError) -> str | None:
    """Returns the message for a missing module of an extra; None for any other module."""
    module = (error.name or "").partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if module in modules), None)
    return extra and f"{module} is not installed: {install_line(extra)}"
