"""`hybridrank model export`: a model folder from a Hugging Face checkpoint."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hybridrank.cli.options.new_model import LanguagesOption, LicenceOption, NameOption, written

__all__ = ["export"]

NEEDS = ("sidecar", "train")


def export(
    source: Annotated[str, typer.Argument(help="A Hugging Face folder, or a name on the hub where it can be reached.")],
    out: Annotated[Path, typer.Option(help="The model folder to write.")],
    name: NameOption = None,
    licence: LicenceOption = "unknown",
    precision: Annotated[
        Literal["both", "int8", "fp32"], typer.Option(help="Precisions to write: int8, fp32, or both.")
    ] = "both",
    max_tokens: Annotated[
        int | None,
        typer.Option(help="The longest input in tokens, if the files give less than the positions."),
    ] = None,
    relevant_label: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Of a classifier with two labels, the one that means relevant."),
    ] = None,
    language: LanguagesOption = None,
    kind: Annotated[
        Literal["splade"] | None, typer.Option(help="The kind of a SPLADE checkpoint, if none of its files says it.")
    ] = None,
) -> None:
    """Export an encoder, a cross-encoder, a ColBERT or a SPLADE checkpoint to ONNX, with golden pairs for a self-test.

    Needs the train extra. The exported model is compared with the original before anything is written.

    Examples:
        hybridrank model export sentence-transformers/all-MiniLM-L6-v2 --out my-models/minilm --language en

        hybridrank model export castorini/monobert-large-msmarco --out my-models/monobert --relevant-label LABEL_1
        hybridrank model export naver/splade-cocondenser-ensembledistil --kind splade --out my-models/splade
        hybridrank model export ./fine-tuned --out my-models/mine
        hybridrank serve --models shipped --models my-models
    """
    from hybridrank.training.onnx.export import ExportFailed, export_model  # imports torch

    try:
        folder = export_model(
            source,
            out,
            name=name,
            licence=licence,
            precision=precision,
            max_tokens=max_tokens,
            languages=language or (),
            relevant_label=relevant_label,
            kind=kind,
        )
    except ExportFailed as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(written(out, folder))
