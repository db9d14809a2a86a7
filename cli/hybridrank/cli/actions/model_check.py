"""The table of `model export --check` and `model import --check`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from hybridrank.cli.console.progress import progress
from hybridrank.cli.options.new_model import written

if TYPE_CHECKING:
    from hybridrank.model_files.model_folder import ModelFolder
    from hybridrank.sidecar.in_process import OpenSession
    from hybridrank.training.onnx.checking.scores import Computed

__all__ = ["check", "report"]

HEADERS = ("scores of", "beside", "difference", "Spearman", "swapped", "pairs a second")
TEXTS = 2  # the first columns

out = Console(highlight=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def check(folder: Path, original: str, opened: "OpenSession") -> "list[Computed]":
    """Compares the model folder with its original and times both; shows progress."""
    from hybridrank.training.onnx.checking.scores import checked

    with progress("compared with the source", err) as done:
        return checked(folder, original, opened, done)


def report(path: Path, folder: "ModelFolder", rows: "Sequence[Computed]", *, as_json: bool) -> None:
    """Prints the new folder and its comparison, if any; exits with 1 if fp32 does not compute as its original does."""
    if as_json:
        info = folder.info
        about = {"path": str(path), "kind": info.kind, "name": info.name, "max_tokens": info.max_tokens}
        held = [each.toml.precision for each in (folder, folder.fp32) if each]
        compared = [asdict(row) for row in rows]
        typer.echo(json.dumps({**about, "precisions": held, "digest": info.digest, "check": compared}, indent=1))
    else:
        typer.echo(written(path, folder))
        if rows:
            out.print(_table(rows))
    for row in rows:
        if row.what == "fp32" and not row.same:
            typer.echo(
                f"error: scores at fp32 differ from those of {row.beside} by {row.difference:.2g}: do not serve {path}",
                err=True,
            )
            raise typer.Exit(1)


def _table(rows: "Sequence[Computed]") -> Table:
    """Returns a table with a row for each computation of the pairs."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for place, header in enumerate(HEADERS):
        table.add_column(header, justify="left" if place < TEXTS else "right")
    for row in rows:
        compared = (f"{row.difference:.2g}", f"{row.spearman:.4f}", f"{row.swaps} of {row.of_pairs}")
        table.add_row(row.what, row.beside, *(compared if row.beside else ("", "", "")), f"{row.pairs_per_s:.1f}")
    return table
