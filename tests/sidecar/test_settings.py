"""Settings come from flags, then variables, then defaults; each is documented, and `hybridrank serve` has them all."""

import inspect
import os
import re
from pathlib import Path
from typing import get_args

import pytest

from hybridrank.serve import serve
from models import SHIPPED_MODELS
from sidecar.settings import ENV_PREFIX, Settings, load_settings

DOCS = Path(__file__).parents[2] / "docs" / "sidecar.md"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)


def test_defaults():
    settings = load_settings()
    assert (settings.host, settings.port, settings.models) == ("127.0.0.1", 50051, (SHIPPED_MODELS,))
    assert settings.worker_threads >= 1


def test_a_flag_beats_a_variable_which_beats_the_default(monkeypatch):
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_PORT", "6000")
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_THREADS", "3")
    settings = load_settings(["--port", "7000"])
    assert (settings.port, settings.threads) == (7000, 3)
    assert load_settings(port=8000).port == 8000


@pytest.mark.parametrize("given", [["--models", os.pathsep.join(["a", "b/c"])], ["--models=a" + os.pathsep + "b/c"]])
def test_several_model_folders(given, monkeypatch):
    assert load_settings(given).models == (Path("a"), Path("b/c"))
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_MODELS", os.pathsep.join(["a", "b/c"]))
    assert load_settings().models == (Path("a"), Path("b/c"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", "65536"), ("threads", "-1"), ("max_batch_tokens", "0"), ("drain_s", "soon"), ("log_format", "xml")],
)
def test_a_value_out_of_range_names_its_setting(name, value, monkeypatch):
    monkeypatch.setenv(f"HYBRIDRANK_SIDECAR_{name.upper()}", value)
    with pytest.raises(ValueError, match=name):
        load_settings()


def test_a_variable_that_names_no_setting_is_refused(monkeypatch):
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_PROT", "1")
    with pytest.raises(ValueError, match=r"HYBRIDRANK_SIDECAR_PROT: no such setting; there are .*_PORT"):
        load_settings()


def test_the_table_in_the_docs_is_the_class():
    rows = re.findall(r"^\| `(\w+)` \| `([^`]*)` \| (.+?) \|$", DOCS.read_text(), flags=re.MULTILINE)
    described = {name: (default, meaning) for name, default, meaning in rows}
    assert list(described) == list(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        default, meaning = described[name]
        assert default == ("the shipped ones" if name == "models" else str(field.default).lower())
        assert meaning == field.description


def test_serve_has_an_option_for_every_setting_in_the_same_words():
    options = inspect.signature(serve).parameters
    assert list(options) == list(Settings.model_fields)
    for name, option in options.items():
        assert get_args(option.annotation)[1].help == Settings.model_fields[name].description
