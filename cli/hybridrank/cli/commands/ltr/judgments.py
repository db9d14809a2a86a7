"""`hybridrank ltr judgments`: graded judgments from clicks."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from hybridrank.common.counts import counted

__all__ = ["judgments"]


def judgments(
    events: Annotated[Path, typer.Argument(help="UBI events as JSON lines, or a CSV table of shown and clicked.")],
    out: Annotated[Path, typer.Option(help="The collection's folder; gets qrels/NAME.tsv, and queries.jsonl.")],
    source: Annotated[
        Literal["ubi", "table"], typer.Option("--from", help="Format of the events.", show_default="by the file's name")
    ]
    | None = None,
    model: Annotated[
        Literal["pbm", "coec"], typer.Option(help="The click model: position-based, or clicks over expected clicks.")
    ] = "pbm",
    cuts: Annotated[str, typer.Option(help="The lower bounds of grades 1, 2, …", show_default="by the model")] = "",
    min_shown: Annotated[int, typer.Option(min=1, help="Minimum impressions of a judged document.")] = 10,
    name: Annotated[str, typer.Option(help="The judgments' name: qrels/NAME.tsv.")] = "clicks",
) -> None:
    """Turn clicks into graded judgments, corrected for the advantage of the first ranks.

    Queries in queries.jsonl keep their ids; others are added to it with the digests that a FeatureLog uses.

    Examples:
    hybridrank ltr judgments ubi_events.jsonl --out ./shop
    hybridrank ltr train --collection ./shop --split clicks --features shop.yaml --out my-models/shop
    """
    from hybridrank.cli.console.progress import ConsoleProgress
    from hybridrank.cli.nothing_written import NothingWritten
    from hybridrank.common.atomic import append_lines
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
