"""Options of the commands that write a model folder, and the line that they end with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hybridrank.model_files.model_folder import ModelFolder

__all__ = [
    "CheckOption",
    "DocumentPrefixOption",
    "LanguagesOption",
    "LicenceOption",
    "MaxTokensOption",
    "NameOption",
    "QueryPrefixOption",
    "written",
]

NameOption = Annotated[
    str | None, typer.Option("--name", help="The model's name for callers. Default: that of the source.")
]
LicenceOption = Annotated[str, typer.Option("--licence", help="Licence of the weights, for model.toml.")]
LanguagesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--language",
        metavar="CODE",
        help='Language of its training data, such as en; "*" for many. May be repeated.',
    ),
]
QueryPrefixOption = Annotated[
    str | None,
    typer.Option("--query-prefix", metavar="TEXT", help="Text before each query. Default: as an encoder's files say."),
]
DocumentPrefixOption = Annotated[
    str | None,
    typer.Option("--document-prefix", metavar="TEXT", help="Text before each document. Default: as its files say."),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option("--max-tokens", help="The longest input in tokens. Default: the limit in the files, at most 1024."),
]
CheckOption = Annotated[
    bool, typer.Option("--check", help="Compare scores, order and speed of 20 pairs with the source, in a table.")
]


def written(out: Path, folder: "ModelFolder") -> str:
    """Returns the sentence about the new folder."""
    info = folder.info
    held = " and ".join(each.toml.precision for each in (folder, folder.fp32) if each)
    return f"{out}: {info.kind} {info.name}, {held}, {info.max_tokens} tokens, digest {info.digest}"
