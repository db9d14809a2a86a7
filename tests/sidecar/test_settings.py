"""Settings come from flags, variables, a file, defaults; each is documented, and `hybridrank serve` has them all."""

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.__main__ import main
from hybridrank.sidecar.app.settings import ENV_PREFIX, Settings, check_files, exposure, load_settings, read_file
from hybridrank.sidecar.app.settings_page import settings_page
from hybridrank.sidecar.transport.security.keys import KeyRing

DOCS = Path(__file__).parents[2] / "docs" / "sidecar.md"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)


def test_defaults():
    settings = load_settings()
    assert (settings.host, settings.port, settings.models) == ("127.0.0.1", 50051, (SHIPPED_MODELS,))
    assert settings.worker_threads >= 1


def test_flags_beat_variables_beat_the_file_beats_defaults(monkeypatch, tmp_path):
    file = tmp_path / "sidecar.toml"
    file.write_text('port = 5000\nthreads = 2\ndrain_s = 1.5\nmodels = ["a", "b"]')
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_PORT", "6000")
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_THREADS", "3")
    settings = load_settings(["--port", "7000", "--config", str(file)])
    assert (settings.port, settings.threads, settings.drain_s) == (7000, 3, 1.5)
    assert settings.models == (Path("a"), Path("b"))
    assert settings.max_batch_tokens == Settings.model_fields["max_batch_tokens"].default


def test_a_variable_names_the_file_and_a_flag_names_another(monkeypatch, tmp_path):
    for name in ("1", "2"):
        (tmp_path / name).write_text(f"threads = {name}")
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_CONFIG", str(tmp_path / "1"))
    assert load_settings().threads == 1
    assert load_settings(["--config", str(tmp_path / "2")]).threads == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prot = 1", "prot: no such setting; a file may set .*port"),
        ('config = "other.toml"', "config: no such setting"),
        ("[server]\nport = 1", "server: no such setting"),
        ("port: 1", "not TOML"),
        ("port = 65536", "port"),
        ('threads = "many"', "threads"),
    ],
)
def test_a_file_with_something_else_in_it_is_refused(text, problem, tmp_path):
    file = tmp_path / "sidecar.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=problem):
        load_settings(["--config", str(file)])


def test_a_file_of_settings_that_cannot_be_read_is_explained(tmp_path):
    for path, why in ((tmp_path / "nowhere.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ValueError, match=rf"config: cannot read .*{path.name}: {why}.*; it names a TOML file"):
            load_settings(["--config", str(path)])


@pytest.mark.parametrize("name", ["tls_cert", "tls_key", "tls_client_ca", "api_keys"])
def test_a_file_that_cannot_be_read_names_its_setting(name, tmp_path):
    pair = {} if name == "api_keys" else {"tls_cert": __file__, "tls_key": __file__}
    given = pair | {name: str(tmp_path / "nowhere")}
    with pytest.raises(OSError, match=rf"{name}: cannot read .*nowhere: No such file"):
        check_files(Settings(**given))


@pytest.mark.parametrize(
    ("given", "warnings"),
    [
        ({}, []),
        ({"host": "::1"}, []),
        ({"host": "0.0.0.0"}, ["set api_keys", "set tls_cert"]),
        ({"host": "::"}, ["set api_keys", "set tls_cert"]),
        ({"host": "0.0.0.0", "api_keys": __file__}, ["set tls_cert"]),
        ({"host": "10.0.0.7", "tls_cert": __file__, "tls_key": __file__}, ["set api_keys"]),
        ({"host": "0.0.0.0", "tls_cert": __file__, "tls_key": __file__, "tls_client_ca": __file__}, []),
        ({"host": "0.0.0.0", "tls_cert": __file__, "tls_key": __file__, "api_keys": __file__}, []),
    ],
)
def test_an_address_beyond_this_machine_wants_tls_and_keys(given, warnings):
    told = exposure(Settings(**given))
    assert bool(told) == bool(warnings)
    assert [each for each in ("set api_keys", "set tls_cert") if each in told] == warnings


def test_the_page_of_all_settings_says_where_each_comes_from(monkeypatch, tmp_path, capsys):
    file = tmp_path / "sidecar.toml"
    file.write_text('port = 5000\nlog_format = "console"\nmodels = ["a", "b"]')
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_LOG_FORMAT", "json")
    assert main(["--print-settings", "--config", str(file), "--threads=3"]) == 0
    page = capsys.readouterr().out
    for line in (
        f"port = 5000  # {file}",
        'log_format = "json"  # HYBRIDRANK_SIDECAR_LOG_FORMAT',
        "threads = 3  # --threads",
        "exit_with_parent = false  # default",
        *(f"# {field.description}" for field in Settings.model_fields.values()),
    ):
        assert line in page.splitlines()


def test_the_page_is_a_file_of_the_same_settings(tmp_path):
    first = load_settings(["--models", 'a b:c"d', "--drain-s", "0.5", "--exit-with-parent"])
    file = tmp_path / "sidecar.toml"
    file.write_text(settings_page(first, {}))
    assert load_settings(["--config", str(file)]) == first.model_copy(update={"config": file})


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
    with pytest.raises(ValueError, match=f"^{name}: .*{value}") as caught:
        load_settings()
    assert "pydantic" not in str(caught.value)


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


def test_serve_takes_every_setting_as_a_flag():
    shown = CliRunner().invoke(app, ["serve", "--help"]).output
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in shown
    refused = CliRunner().invoke(app, ["serve", "--prot", "1"])
    assert refused.exit_code == 2


def test_serve_prints_its_settings():
    shown = CliRunner().invoke(app, ["serve", "--port", "7", "--print-settings"])
    assert (shown.exit_code, "port = 7  # --port" in shown.output) == (0, True)


@pytest.mark.parametrize(
    "text", ["rerank-v3.5=cross-encoder, BAAI/bge-m3=encoder", "BAAI/bge-m3 = encoder,rerank-v3.5=cross-encoder,"]
)
def test_names_are_a_table_by_flag_variable_and_file(text, monkeypatch, tmp_path):
    expected = {"rerank-v3.5": "cross-encoder", "BAAI/bge-m3": "encoder"}
    assert load_settings(["--names", text]).names == expected
    file = tmp_path / "settings.toml"
    file.write_text(settings_page(load_settings(["--names", text]), {}))
    assert load_settings(["--config", str(file)]).names == expected
    monkeypatch.setenv(f"{ENV_PREFIX}NAMES", text)
    assert load_settings().names == expected


@pytest.mark.parametrize("text", ["cross-encoder", "=encoder", "rerank="])
def test_a_name_without_a_model_is_refused(text):
    with pytest.raises(ValueError, match=r"is not NAME=MODEL, as in rerank-v3\.5="):
        load_settings(["--names", text])


@pytest.mark.parametrize(
    "flags", [["--models", "shipped", "--models", "mine"], ["--models", f"shipped{os.pathsep}mine"]]
)
def test_the_word_shipped_names_the_shipped_models(flags, monkeypatch, tmp_path):
    assert load_settings(flags).models == (SHIPPED_MODELS, Path("mine"))
    monkeypatch.setenv("HYBRIDRANK_SIDECAR_MODELS", "shipped,mine")
    assert load_settings().models == (SHIPPED_MODELS, Path("mine"))
    monkeypatch.delenv("HYBRIDRANK_SIDECAR_MODELS")
    (tmp_path / "sidecar.toml").write_text('models = ["shipped", "mine"]')
    assert load_settings(["--config", str(tmp_path / "sidecar.toml")]).models == (SHIPPED_MODELS, Path("mine"))


def test_a_byte_order_mark_in_settings_and_keys_changes_nothing(tmp_path):
    (tmp_path / "sidecar.toml").write_bytes("\ufeffport = 50151\r\n".encode())
    assert read_file(tmp_path / "sidecar.toml") == {"port": 50151}
    key = "k" * 64
    (tmp_path / "keys.txt").write_bytes(f"\ufeff{key}\r\n".encode())
    assert KeyRing(tmp_path / "keys.txt").accepts(f"Bearer {key}")
