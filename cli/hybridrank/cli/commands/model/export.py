"""`hybridrank model export`: a model folder from a Hugging Face checkpoint."""

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
    max_tokens: MaxTokensOption = None,
    query_prefix: QueryPrefixOption = None,
    document_prefix: DocumentPrefixOption = None,
    relevant_label: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Of a classifier with two labels, the one that means relevant."),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The prompt of a language model that reranks; a name of none lists them."),
    ] = None,
    instruction: Annotated[
        str | None, typer.Option(metavar="TEXT", help="In that prompt, the task. Default: the publisher's.")
    ] = None,
    answers: Annotated[
        str | None,
        typer.Option(metavar="WORD[,WORD]", help="Its answers, the one for relevant first. Default: the publisher's."),
    ] = None,
    language: LanguagesOption = None,
    kind: Annotated[
        Literal["splade"] | None, typer.Option(help="The kind of a SPLADE checkpoint, if none of its files says it.")
    ] = None,
    check: CheckOption = False,
    as_json: JsonOption = False,
) -> None:
    """Export an encoder, a cross-encoder, a ColBERT or a SPLADE checkpoint to ONNX, with golden pairs for a self-test.

    A language model that was trained to rerank, such as Qwen3-Reranker or monoT5, also needs the name of its prompt.
    Needs the train extra. The exported model is compared with the original before anything is written; --check then
    compares the written folder with transformers, and int8 with fp32.

    Examples:
        hybridrank model export sentence-transformers/all-MiniLM-L6-v2 --out my-models/minilm --language en --check

        hybridrank model export castorini/monot5-base-msmarco --template monot5 --out my-models/monot5
        hybridrank model export castorini/monobert-large-msmarco --out my-models/monobert --relevant-label LABEL_1
        hybridrank model export naver/splade-cocondenser-ensembledistil --kind splade --out my-models/splade
        hybridrank model export ./fine-tuned --out my-models/mine
        hybridrank serve --models shipped --models my-models
    """
    from hybridrank.cli.actions import model_check
    from hybridrank.cli.console.remarks import remarks
    from hybridrank.training.onnx.checking.in_transformers import in_transformers
    from hybridrank.training.onnx.export import ExportFailed, export_model  # imports torch
    from hybridrank.training.onnx.families.plan import Asked

    asked = Asked(
        name or Path(source).name,
        licence,
        tuple(language or ()),
        max_tokens=max_tokens,
        relevant_label=relevant_label,
        kind=kind,
        template=template,
        instruction=instruction,
        answers=tuple(each.strip() for each in answers.split(",")) if answers else (),
        query_prefix=query_prefix,
        document_prefix=document_prefix,
    )
    try:
        with remarks("hybridrank.training.onnx"):
            folder = export_model(source, out, precision=precision, **vars(asked))
        rows = model_check.check(out, "transformers", in_transformers(source, asked)) if check else []
    except ExportFailed as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    model_check.report(out, folder, rows, as_json=as_json)
