"""Options of `hybridrank judgments`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["CollectionOption", "FilesArgument", "ScaleOption"]

CollectionOption = Annotated[
    Path, typer.Option("--collection", help="Folder with corpus.jsonl and queries.jsonl (or .gz).", show_default=False)
]

FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE…", help="Judgment files, filled in.", exists=True, show_default=False)
]

ScaleOption = Annotated[str, typer.Option(metavar="LOW-HIGH", help="The scale of grades.")]
