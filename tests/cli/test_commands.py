"""Commands are loaded when they are called: help is fast, and needs only what `cli` brings."""

import os
import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import get_args

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hybridrank import cli, local_engines
from hybridrank.cli.actions.doctor import TOLD_BY, packages
from hybridrank.cli.app import load
from hybridrank.cli.commands import FIRST
from hybridrank.cli.discovery import all_commands, children, module_of, path_of, summary
from hybridrank.cli.options import choices
from hybridrank.common.extras import EXTRAS, install_line
from hybridrank.connector import retrieval, types
from hybridrank.connector.admin import aliases
from hybridrank.evaluation.experiments import pipelines
from hybridrank.evaluation.judging import judgments
from hybridrank.evaluation.measures import standard
from hybridrank.sidecar.app.settings import tomllib
from hybridrank.sidecar.runtime import precision
from hybridrank.training import token_codec
from hybridrank.training.calibration import fit
from hybridrank.training.ltr import baselines

LOADED = """
import sys
from hybridrank.cli.__main__ import main
sys.argv = ["hybridrank", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *(name for name in {heavy!r} if name in sys.modules))
"""
HEAVY = (
    *("asyncio.runners", "grpc", "lightgbm", "numpy", "onnxruntime", "scipy"),
    *("hybridrank.connector", "hybridrank.evaluation", "hybridrank.training"),
)


ALL = [" ".join(names) for names in all_commands()]


@pytest.mark.parametrize("path", ["", *ALL])
def test_help_fits_a_terminal_and_loads_no_library(path):
    heavy = HEAVY[1:] if path else HEAVY
    code = LOADED.format(arguments=[*path.split(), "--help"], heavy=heavy)
    command, narrow = [sys.executable, "-c", code], os.environ | {"COLUMNS": "80"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=narrow)
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert "Usage: " in done.stdout or "usage: " in done.stdout
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []


def test_summaries_are_the_first_lines_of_the_commands_help():
    for names in all_commands():
        assert summary(path_of(*names)) == load(*names).help.partition("\n\n")[0].replace("\n", " ")


def test_the_extras_that_commands_need_are_told_by_their_names():
    modules = [import_module(module_of(path_of(*names))) for names in all_commands()]
    assert {extra for module in modules for extra in getattr(module, "NEEDS", ())} <= set(EXTRAS)


def test_commands_are_found_by_their_files_in_a_fixed_order():
    assert [*children()][: len(FIRST)] == [*FIRST]
    assert {name: [*children(name)] for name in ("ltr", "judgments")} == {
        "ltr": ["export", "judgments", "log", "train", "train-clicks", "upload"],
        "judgments": ["agree", "import", "pool"],
    }


def test_the_table_of_extras_is_that_of_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name != "all"}
    assert set(extras) == set(EXTRAS)
    brought_by = {name: {canonicalize_name(each) for each in found} for name, found in packages_distributions().items()}
    for extra, lines in extras.items():
        needed = [Requirement(line) for line in lines]
        packages = {canonicalize_name(each.name) for each in needed if not each.marker or each.marker.evaluate()}
        installed = packages & {name for found in brought_by.values() for name in found}
        told = {name for module in EXTRAS[extra] for name in brought_by.get(module, ())}
        assert installed <= told, extra


def test_doctor_looks_at_every_extra():
    assert set(TOLD_BY) == set(EXTRAS)
    assert [each.subject for each in packages()] == [f"extra {name}" for name in TOLD_BY]
    assert {each.advice for each in packages() if each.state != "ok"} <= {install_line(name) for name in EXTRAS}


@pytest.mark.parametrize(
    ("offered", "known"),
    [
        (choices.CalibrationMethod, fit.Method),
        (choices.FusedBy, retrieval.FusedBy),
        (choices.Merge, judgments.Merge),
        (choices.Precision, precision.Precision),
        (choices.TokenFormat, types.TokenFormat),
    ],
    ids=str,
)
def test_options_offer_what_the_library_takes(offered, known):
    assert get_args(offered) == get_args(known)


def test_options_default_to_what_the_library_does():
    assert tuple(baselines.BASELINES) == choices.BASELINE_RANKERS
    assert choices.CODEC_DOCUMENTS == token_codec.DOCUMENTS
    assert (choices.DEFAULT_CHUNKS, choices.MAX_CHUNKS) == (types.DEFAULT_CHUNKS, types.MAX_CHUNKS)
    assert choices.ENGINE_HEAP_MB == local_engines.HEAP_MB
    assert choices.LEAST_SHARE == aliases.LEAST_SHARE
    assert choices.STANDARD_MEASURES == standard.STANDARD_MEASURES
    assert choices.STANDARD_PIPELINES == pipelines.STANDARD_PIPELINES


def test_no_command_loads_an_engines_client_before_it_needs_it():
    modules = [each.name for each in pkgutil.walk_packages(cli.__path__, "hybridrank.cli.")]
    heavy = ("aiohttp", "elasticsearch", "jgo", "lightgbm", "onnxruntime", "opensearchpy", "tantivy", "torch")
    code = f"""
import importlib, sys
for name in {modules!r}:
    if name not in ("hybridrank.cli.actions.model_calibrate", "hybridrank.cli.__main__"):
        importlib.import_module(name)
print(*(each for each in {heavy!r} if each in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
