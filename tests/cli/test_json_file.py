"""`--json FILE` means the same for every command that measures."""

import json

import pytest
import typer
from typer.testing import CliRunner

from hybridrank.cli.app import app, load
from hybridrank.cli.options.json_file import JsonFileOption
from tests.cli.test_commands import ALL


def options(path):
    """The options of a command, and of no other below it."""
    return load(*path.split()).params


HELP = JsonFileOption.__metadata__[0].help
MEASURING = {"demo", "evaluate", "reproduce", "tune", "ltr train", "ltr train-clicks", "train cross-encoder"}


def test_every_command_takes_a_dash_for_standard_output():
    found = {path: each for path in ALL for each in options(path) if "--json" in each.opts and not each.is_flag}
    assert set(found) >= MEASURING
    assert {(each.help, each.callback.__name__) for each in found.values()} == {(HELP, "_alone_on_stdout")}


@pytest.fixture
def invoke():
    def measure(json_file: JsonFileOption = None) -> None:
        typer.echo("a table for people")
        if json_file:
            json_file.write({"ndcg@10": 0.5})

    command = typer.Typer()
    command.command()(measure)
    return lambda *arguments: CliRunner().invoke(command, arguments)


def test_a_dash_leaves_standard_output_to_the_json(invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke("--json", "-")
    assert (json.loads(done.stdout), done.stderr) == ({"ndcg@10": 0.5}, "a table for people\n")
    assert list(tmp_path.iterdir()) == []
    assert invoke().stdout == "a table for people\n"


def test_a_file_gets_what_standard_output_would(invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke("--json", "m.json")
    assert (done.stdout, json.loads((tmp_path / "m.json").read_text())) == ("a table for people\n", {"ndcg@10": 0.5})
    assert "there is no folder nowhere" in invoke("--json", "nowhere/m.json").stderr


@pytest.mark.parametrize("name", ["-", "nowhere/x"])
@pytest.mark.parametrize(
    "command",
    [
        "evaluate --collection c --html",
        "evaluate --collection c --svg",
        "evaluate --collection c --run-dir",
        "tune --collection c --out",
        "tune --collection c --study",
        "reproduce --collections c --page",
        "ltr export model --to xgboost --out",
        "ltr log --collection c --features f.yaml --out",
        "judgments pool --collection c --pipelines bm25 --out",
        "judgments import j.jsonl --collection c --out",
    ],
)
def test_a_file_that_cannot_be_written_is_named_before_any_work(command, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "j.jsonl").touch()
    done = CliRunner().invoke(app, [*command.split(), name])
    assert done.exit_code == 2
    assert ("standard output" if name == "-" else "there is no folder nowhere") in done.stderr
