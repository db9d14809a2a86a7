"""The `hybridrank` program: groups whose commands are imported when they run."""

import functools
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from hybridrank.cli.discovery import children, module_of, path_of, summary
from hybridrank.common.extras import require

__all__ = ["app", "load"]

_EXAMPLES = re.compile(r"^Examples?:|^\s*hybridrank ", re.MULTILINE)
_WIDTH = 78  # width of help, which is indented by two columns


class CommandGroup(TyperGroup):
    """Lists the commands of a folder by their summaries; imports the one that is called."""

    names: tuple[str, ...] = ()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Returns the names of the commands."""
        return list(children(*self.names))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Returns a command for lists, which has a name and a summary."""
        path = children(*self.names).get(cmd_name)
        return path and TyperCommand(cmd_name, short_help=(text := summary(path)), help=text)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Returns the command that is called, imported."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load(*self.names, str(name)), rest


def load(*names: str) -> Any:
    """Imports a command or a group and returns it as click runs it; it checks its extras before it runs."""
    path = path_of(*names)
    module = import_module(module_of(path))
    function: Any = getattr(module, path.stem, None)
    program = typer.Typer(cls=CommandGroup, add_completion=False, rich_markup_mode=None)  # rich would cut tables
    if not path.is_dir():
        program = typer.Typer(add_completion=False, rich_markup_mode=None)
        program.command(names[-1], context_settings=getattr(module, "CONTEXT", None))(function)
    elif function:
        program.callback(invoke_without_command=True)(function)
    else:
        program.callback(help=summary(path), no_args_is_help=True)(lambda: None)
    command: Any = typer.main.get_command(program)
    command.name, command.names = names[-1], names
    command.help = _folded(command.help or "")
    if (needs := getattr(module, "NEEDS", ())) and command.context_settings.get("help_option_names", True):
        command.callback = _checked(
            command.callback, f"hybridrank {' '.join(names)}", needs
        )  # `serve` checks by itself
    return command


def _folded(text: str) -> str:
    """Returns help in which click keeps the lines of examples; no line is longer than a terminal."""
    return "\n\n".join(_examples(each) if _EXAMPLES.search(each) else each for each in text.split("\n\n"))


def _examples(paragraph: str) -> str:
    return "\n".join(["\b", *map(_broken, paragraph.splitlines())])


def _broken(line: str) -> str:
    """Returns a command in lines of at most _WIDTH, broken before options, as a shell joins them."""
    first, *options = line.split(" --")
    lines = [first]
    for each in options:
        if len(line) <= _WIDTH or len(f"{lines[-1]} --{each} \\") <= _WIDTH:
            lines[-1] += f" --{each}"
        else:
            lines.append(f"    --{each}")
    return " \\\n".join(lines)


def _checked(callback: Callable[..., None], name: str, needs: Sequence[str]) -> Callable[..., None]:
    @functools.wraps(callback)
    def checked(**options: Any) -> None:
        require(name, *needs, also=_by_options(options))
        callback(**options)

    return checked


def _by_options(options: dict[str, Any]) -> tuple[str, ...]:
    """Returns the extras that the addresses of engine and sidecar need, as far as these show it."""
    embedded = ("embedded",) if str(options.get("engine", "none")).partition(":")[0] in ("", "embedded") else ()
    return (*embedded, *(("sidecar",) if options.get("sidecar") == "auto" else ()))


app = typer.Typer(
    name="hybridrank",
    help="Hybrid retrieval with fusion and reranking for OpenSearch and Elasticsearch, without a server plugin.",
    cls=CommandGroup,
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
