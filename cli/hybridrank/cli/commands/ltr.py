"""`hybridrank ltr`: LambdaMART models from judgments, judgments from clicks, and models for other servers."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from hybridrank.cli.commands.ltr_train import log, train, train_clicks
from hybridrank.cli.commands.ltr_upload import upload
from hybridrank.cli.options import in_folder
from hybridrank.common.counts import counted

__all__ = ["app"]


app = typer.Typer(
    help="LambdaMART: learning to rank from judgments or clicks.", no_args_is_help=True, add_completion=False
)
app.command()(train)
app.command()(train_clicks)
app.command()(log)
app.command()(upload)


@app.callback()
def ltr() -> None:
    """LambdaMART: learning to rank from judgments or clicks."""


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="A lambdamart model folder.")],
    to: Annotated[
        Literal["xgboost", "ranklib", "lightgbm", "featureset"],
        typer.Option(help="Trees for LTR plugins (xgboost, ranklib) or Vespa (lightgbm), or the plugins' feature set."),
    ],
    out: Annotated[Path, typer.Option(callback=in_folder, help="The file to write.")],
) -> None:
    """Write a model for an LTR plugin or for Vespa. What a format cannot say is refused, never bent.

    Example: hybridrank ltr export my-models/shop --to xgboost --out shop.xgboost.json
    """
    from hybridrank.ltr_features.sltr import feature_set_body
    from hybridrank.model_files import forest_folder
    from hybridrank.training.ltr.lambdamart import export_model

    folder = forest_folder.read(model)
    if to == "featureset":
        text = json.dumps(feature_set_body(folder.feature_set), indent=1) + "\n"
    else:
        text = export_model(folder, to)
    out.write_text(text, encoding="utf-8")
    typer.echo(f"{out}: {folder.toml.name}:{folder.toml.version} for {to}")


@app.command()
def judgments(
    events: Annotated[Path, typer.Argument(help="UBI events as JSON lines, or a CSV table of shown and clicked.")],
    out: Annotated[Path, typer.Option(help="The collection's folder; gets qrels/NAME.tsv, and queries.jsonl.")],
    source: Annotated[
        Literal["ubi", "table"], typer.Option("--from", help="What the events are.", show_default="by the file's name")
    ]
    | None = None,
    model: Annotated[
        Literal["pbm", "coec"], typer.Option(help="The click model: position-based, or clicks over expected clicks.")
    ] = "pbm",
    cuts: Annotated[str, typer.Option(help="Where grades 1, 2, … begin.", show_default="by the model")] = "",
    min_shown: Annotated[int, typer.Option(min=1, help="What was shown less often stays unjudged.")] = 10,
    name: Annotated[str, typer.Option(help="The judgments' name: qrels/NAME.tsv.")] = "clicks",
) -> None:
    """Turn clicks into graded judgments, without the advantage of the first places.

    Queries that queries.jsonl has keep their ids; the others are added to it, by the digests that a FeatureLog uses.

    Examples:
    hybridrank ltr judgments ubi_events.jsonl --out ./shop
    hybridrank ltr train --collection ./shop --split clicks --features shop.yaml --out my-models/shop
    """
    from hybridrank.cli.nothing_written import NothingWritten
    from hybridrank.cli.progress import ConsoleProgress
    from hybridrank.common.append import append_lines
    from hybridrank.common.errors import BadLine
    from hybridrank.evaluation.collections.beir import BeirFolder
    from hybridrank.evaluation.judging.judgments import write_qrels
    from hybridrank.training.ltr import clicks
    from hybridrank.training.ltr.click_files import note_skipped, read_ctr_table, read_ubi

    skipped: list[BadLine] = []
    is_table = (source or ("table" if ".csv" in events.suffixes else "ubi")) == "table"
    table = read_ctr_table(events) if is_table else read_ubi(events, skipped.append)
    note_skipped(skipped, ConsoleProgress(Console(stderr=True, highlight=False, soft_wrap=True)))
    try:
        begins = [float(each) for each in cuts.split(",") if each.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"expected numbers separated by commas: {error}", param_hint="--cuts") from error
    found = clicks.grades(table, model, cuts=begins, min_shown=min_shown)
    if not found:
        pairs = len({(each.query, each.doc_id) for each in table})
        raise NothingWritten(
            f"of {counted(pairs, 'document')} of a query none was shown {min_shown} times; see --min-shown"
        )
    file = out / "queries.jsonl"
    if (zipped := out / "queries.jsonl.gz").exists() and not file.exists():
        raise typer.BadParameter(f"unzip {zipped} first, so that queries can be added to it", param_hint="--out")
    known = {text: query_id for query_id, text in BeirFolder(out).queries().items()} if file.exists() else {}
    added = {text: hashlib.sha256(text.encode()).hexdigest()[:16] for text in found if text not in known}
    ids = added | known
    (out / "qrels").mkdir(parents=True, exist_ok=True)
    qrels = out / "qrels" / f"{name}.tsv"
    write_qrels(qrels, {ids[text]: graded for text, graded in found.items()})
    append_lines(file, "".join(json.dumps({"_id": ids[text], "text": text}) + "\n" for text in added).encode())
    typer.echo(
        f"{qrels}: {counted(sum(map(len, found.values())), 'judgment')} of {counted(len(found), 'query')}"
        f" from {counted(sum(each.shown for each in table), 'showing')}"
    )
