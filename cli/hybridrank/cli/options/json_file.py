"""`--json FILE`: all measurements of a command as JSON, in a file or on standard output."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from hybridrank.cli.options.shared import in_folder

__all__ = ["JsonFile", "JsonFileOption"]


class JsonFile:
    """The file of --json; `-` is standard output, and all other output then goes to stderr."""

    def __init__(self, name: str) -> None:
        self._path = Path(name)
        self._stdout = sys.stdout if name == "-" else None
        if not self.is_stdout:
            in_folder(self._path)

    def __str__(self) -> str:
        return "stdout" if self.is_stdout else str(self._path)

    @property
    def is_stdout(self) -> bool:
        """True for `-`."""
        return self._stdout is not None

    def write(self, value: Any) -> None:
        """Writes the value, indented by one space per level."""
        text = json.dumps(value, indent=1) + "\n"
        if self._stdout:
            self._stdout.write(text)
        else:
            self._path.write_text(text, encoding="utf-8")


def _alone_on_stdout(context: typer.Context, file: JsonFile | None) -> JsonFile | None:
    if file and file.is_stdout:
        context.with_resource(redirect_stdout(sys.stderr))
    return file


JsonFileOption = Annotated[
    JsonFile | None,
    typer.Option(
        "--json",
        metavar="FILE",
        parser=JsonFile,
        callback=_alone_on_stdout,
        help="Write everything measured as JSON; - is stdout, and what people read then goes to stderr.",
    ),
]
