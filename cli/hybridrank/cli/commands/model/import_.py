"""`hybridrank model import`: a model folder from an ONNX file and its tokenizer."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from hybridrank.cli.options.new_model import (
    CheckOption,
    DocumentPrefixOption,
    LanguagesOption,
    LicenceOption,
    MaxTokensOption,
    NameOption,
    QueryPrefixOption,
)
from hybridrank.cli.options.shared import JsonOption
from hybridrank.common.extras import require

__all__ = ["import_"]

NEEDS = ("sidecar",)


def _hex(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise typer.BadParameter("a SHA-256 has 64 hex digits")
    return value


def import_(
    source: Annotated[
        str,
        typer.Argument(help="A folder, a jar or zip, or Maven coordinates group:artifact:version.", show_default=False),
    ],
    kind: Annotated[Literal["encoder", "cross-encoder"], typer.Option(help="What the model is.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The model folder to write.", show_default=False)],
    sha256: Annotated[
        str | None,
        typer.Option(metavar="HEX", callback=_hex, help="SHA-256 of the file; required for Maven coordinates."),
    ] = None,
    file: Annotated[
        str | None, typer.Option(metavar="PATH", help="The ONNX file inside the source, if it holds several.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The graph's output with a row for each token, or the score; by its name."),
    ] = None,
    pooling: Annotated[
        Literal["mean", "cls", "last", "graph"] | None,
        typer.Option(help="How an encoder pools, if no file beside it says so; graph: its output sentence_embedding."),
    ] = None,
    query_prefix: QueryPrefixOption = None,
    document_prefix: DocumentPrefixOption = None,
    max_tokens: MaxTokensOption = None,
    name: NameOption = None,
    licence: LicenceOption = "unknown",
    language: LanguagesOption = None,
    quantize: Annotated[bool, typer.Option("--quantize", help="Also write int8, beside fp32.")] = False,
    check: CheckOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import an fp32 ONNX file and its tokenizer as a model folder, with golden pairs for a self-test; needs no torch.

    Inputs, output, operators and paths are checked, and the graph is run, before the folder appears. Settings come from
    the files of transformers and sentence-transformers beside it, unless an option says otherwise.

    Examples:
        hybridrank model import ./bge-small --kind encoder --out my-models/bge --quantize --check

        hybridrank model import reranker.zip --kind cross-encoder --file onnx/model.onnx --out my-models/mine
        hybridrank serve --models shipped --models my-models
    """
    from hybridrank.cli.actions import model_check
    from hybridrank.cli.console.remarks import remarks
    from hybridrank.local_engines.maven_file import fetch_file, is_coordinates
    from hybridrank.training.onnx.importing.bare import source_graph
    from hybridrank.training.onnx.importing.model import import_model

    if quantize:
        require("--quantize", "quantize")
    path = Path(source)
    if is_coordinates(source) and not path.exists():
        if sha256 is None:
            raise typer.BadParameter("Maven coordinates need the SHA-256 of the file", param_hint="--sha256")
        require("a download from Maven", "engines")
        path, name = fetch_file(source, sha256), name or source.split(":")[1]
    with remarks("hybridrank.training.onnx"):
        folder = import_model(
            path,
            out,
            kind=kind,
            sha256=sha256,
            file=file,
            output=output,
            name=name,
            licence=licence,
            languages=language or (),
            pooling=pooling,
            query_prefix=query_prefix,
            document_prefix=document_prefix,
            tokens=max_tokens,
            quantized=quantize,
        )
    rows = []
    if check:
        pooled = getattr(folder.toml, "pooling", None)
        with source_graph(path, kind=kind, sha256=sha256, file=file, output=output, pooling=pooled) as bare:
            rows = model_check.check(out, "the source", bare)
    model_check.report(out, folder, rows, as_json=as_json)
