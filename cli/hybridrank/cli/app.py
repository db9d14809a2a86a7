"""The `hybridrank` program: a group whose commands are loaded when they are called."""

import functools
import re
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from hybridrank.cli.commands import NEEDS, SUMMARIES
from hybridrank.common.extras import require

__all__ = ["app"]

_EXAMPLES = re.compile(r"^Examples?:|^\s*hybridrank ", re.MULTILINE)
_WIDTH = 78  # of help, which is indented by two columns


class _Commands(TyperGroup):
    """Lists commands by their summaries; imports the module of the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(SUMMARIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        summary = SUMMARIES.get(cmd_name)
        return summary and TyperCommand(cmd_name, short_help=summary, help=summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load(str(name)), rest


def load(name: str) -> Any:
    """The command or group of this name, as click runs it; each part checks its extras before it runs."""
    module = import_module(f"hybridrank.cli.commands.{name}")
    group: typer.Typer | None = getattr(module, "app", None)
    if group is None:
        group = typer.Typer(add_completion=False)
        group.command(name, context_settings=getattr(module, "CONTEXT", None))(getattr(module, name))
    group.rich_markup_mode = None  # plain text: rich would take a quarter of a second, and half the width of a table
    command = typer.main.get_command(group)
    command.name = name
    _prepare(command, name)
    return command


def _prepare(command: Any, path: str) -> None:
    """Keep help from being cut or its examples from being joined, and check extras; below a group as well."""
    for name, each in getattr(command, "commands", {}).items():
        _prepare(each, f"{path} {name}")
    paragraphs = (command.help or "").split("\n\n")
    command.short_help = command.short_help or " ".join(paragraphs[0].split())
    command.help = "\n\n".join(_examples(each) if _EXAMPLES.search(each) else each for each in paragraphs)
    if path in NEEDS and command.context_settings.get("help_option_names", True):  # `serve` has a --help of its own
        command.callback = _checked(command.callback, path)


def _examples(paragraph: str) -> str:
    return "\n".join(["\b", *map(_broken, paragraph.splitlines())])


def _broken(line: str) -> str:
    """A command in lines of at most _WIDTH, broken before options, as a shell joins them."""
    first, *options = line.split(" --")
    lines = [first]
    for each in options:
        if len(line) <= _WIDTH or len(f"{lines[-1]} --{each} \\") <= _WIDTH:
            lines[-1] += f" --{each}"
        else:
            lines.append(f"    --{each}")
    return " \\\n".join(lines)


def _checked(callback: Callable[..., None], path: str) -> Callable[..., None]:
    @functools.wraps(callback)
    def checked(**options: Any) -> None:
        require(f"hybridrank {path}", *NEEDS[path], also=_by_options(options))
        callback(**options)

    return checked


def _by_options(options: dict[str, Any]) -> tuple[str, ...]:
    """The extras that the addresses of engine and sidecar need, as far as they tell."""
    embedded = ("embedded",) if str(options.get("engine", "none")).partition(":")[0] in ("", "embedded") else ()
    return (*embedded, *(("sidecar",) if options.get("sidecar") == "auto" else ()))


app = typer.Typer(
    name="hybridrank",
    help="Hybrid retrieval with fusion and reranking for OpenSearch and Elasticsearch, without a server plugin.",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(version("hybridrank"))
        raise typer.Exit


@app.callback()
def options(
    _version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Hybrid retrieval with fusion and reranking for OpenSearch and Elasticsearch, without a server plugin."""
