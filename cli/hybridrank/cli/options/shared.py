"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from hybridrank.cli.options.choices import MAX_CHUNKS, FusedBy

__all__ = [
    "DeleteIndexOption",
    "DryRunOption",
    "EngineOption",
    "FeatureSetsOption",
    "FilledIndexOption",
    "FusionOption",
    "IndexOption",
    "JsonOption",
    "JudgedCollectionOption",
    "MaxChunksOption",
    "SidecarOption",
    "StrictOption",
    "WeightOption",
    "in_folder",
]


def in_folder(path: Path | None) -> Path | None:
    """Returns the path if its folder exists. Raises BadParameter."""
    if path == Path("-"):
        raise typer.BadParameter("- is standard output for --json FILE alone; give the name of a file")
    if path and not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    return path


EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        envvar="HYBRIDRANK_ENGINE",
        help="embedded:PATH, or http(s)://[USER:PASSWORD@]HOST:PORT of a cluster.",
    ),
]
JudgedCollectionOption = Annotated[
    Path,
    typer.Option(
        "--collection", help="Folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv (or .gz).", show_default=False
    ),
]
FilledIndexOption = Annotated[
    str,
    typer.Option("--index", help="Name of the index, filled as needed.", show_default="one for this content"),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]
WeightOption = Annotated[
    float | None,
    typer.Option(
        "--weight",
        min=0.01,
        max=1,
        help="Share of the reranker in the final score.",
        show_default="the recommendation of the model's folder, else 0.5",
    ),
]
IndexOption = Annotated[str, typer.Option("--index", help="Name of the index, or of an alias.")]
DeleteIndexOption = Annotated[
    bool, typer.Option("--delete-index", help="At the end, delete the index and template that this command created.")
]
SidecarOption = Annotated[
    str,
    typer.Option(
        "--sidecar",
        envvar="HYBRIDRANK_SIDECAR",
        help="HOST:PORT, several separated by commas, or auto: the one on this machine's default port, if it has the"
        " models that are needed, else one started for this command.",
    ),
]
FusionOption = Annotated[
    FusedBy,
    typer.Option("--fusion", help="Who fuses the rankings of BM25 and kNN: this program, or the engine where it can."),
]
StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict/--no-strict",
        help="End with an error for a misspelt field, a model that is not loaded, a vector of another length and the"
        " like, or answer without that part. A timeout and the like never end a search.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
MaxChunksOption = Annotated[
    int,
    typer.Option(
        min=1,
        max=MAX_CHUNKS,
        help="Windows of a long text that a reranker may read, as time allows; 1 reads only the beginning.",
    ),
]
FeatureSetsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--features", metavar="FILE", help="Feature set of a lambdamart model, .yaml or .json. May be repeated."
    ),
]
