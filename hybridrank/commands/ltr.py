"""`hybridrank ltr`: LambdaMART models from judgments, judgments from clicks, and models for other servers."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from hybridrank.commands.ltr_train import log, train, train_clicks
from hybridrank.commands.ltr_upload import upload

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
    out: Annotated[Path, typer.Option(help="The file to write.")],
) -> None:
    """Write a model for an LTR plugin or for Vespa. What a format cannot say is refused, never bent.

    Example: hybridrank ltr export my-models/shop --to xgboost --out shop.xgboost.json
    """
    from ltr_features.sltr import feature_set_body
    from sidecar.runtime import forest_folder
    from training.ltr.lambdamart import export_model

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

    Example: hybridrank ltr judgments ubi_events.jsonl --out ./shop, then hybridrank ltr train --split clicks
    """
    from evaluation.collections import BeirFolder
    from training.ltr import clicks

    readers = {"ubi": clicks.read_ubi, "table": clicks.read_ctr_table}
    read = readers[source or ("table" if events.suffix == ".csv" else "ubi")]
    table = read(events)
    try:
        begins = [float(each) for each in cuts.split(",") if each.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"expected numbers separated by commas: {error}", param_hint="--cuts") from error
    found = clicks.grades(table, model, cuts=begins, min_shown=min_shown)
    file = out / "queries.jsonl"
    if (zipped := out / "queries.jsonl.gz").exists() and not file.exists():
        raise typer.BadParameter(f"unzip {zipped} first, so that queries can be added to it", param_hint="--out")
    known = {text: query_id for query_id, text in BeirFolder(out).queries().items()} if file.exists() else {}
    added = {text: hashlib.sha256(text.encode()).hexdigest()[:16] for text in found if text not in known}
    ids = added | known
    (out / "qrels").mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as queries:
        queries.writelines(json.dumps({"_id": ids[text], "text": text}) + "\n" for text in added)
    rows = [f"{ids[text]}\t{doc_id}\t{grade}\n" for text, graded in found.items() for doc_id, grade in graded.items()]
    qrels = out / "qrels" / f"{name}.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\n" + "".join(rows), encoding="utf-8")
    typer.echo(
        f"{qrels}: {len(rows)} judgments of {len(found)} queries from {sum(each.shown for each in table)} showings"
    )
