"""`hybridrank index`: writes a folder of documents into an index, with vectors; resumable."""

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.choices import TokenChoice
from hybridrank.cli.options.index import (
    BoostOption,
    LanguageOption,
    ObjectsOption,
    SubfieldOption,
    SynonymsOption,
    text_definition,
)
from hybridrank.cli.options.shared import EngineOption, IndexOption, JsonOption, SidecarOption
from hybridrank.common.counts import counted
from hybridrank.index_templates.vectors import VectorKind

__all__ = ["index"]

out = Console(highlight=False, soft_wrap=True)


def index(
    context: typer.Context,
    collection: Annotated[
        Path | None, typer.Option("--collection", help="Folder with corpus.jsonl or corpus.jsonl.gz.")
    ] = None,
    index: IndexOption = "",
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    token_vectors: Annotated[
        TokenChoice | None,
        typer.Option(
            help="Format of the token vectors that late interaction scores without reading texts again, or none.",
            show_default="what the index has; a new one residual if the model has a codec, else int8",
        ),
    ] = None,
    colbert: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="The sidecar's model whose token vectors are stored.", show_default="colbert"
        ),
    ] = None,
    sparse: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Store sparse vectors too, by this SPLADE model of the sidecar."),
    ] = None,
    language: LanguageOption = "english",
    subfield: SubfieldOption = None,
    boost: BoostOption = None,
    synonyms: SynonymsOption = None,
    objects: ObjectsOption = "flat",
    vectors: Annotated[
        VectorKind, typer.Option(help="Precision of stored vectors: smaller ones cost some ranking quality.")
    ] = "float",
    passages: Annotated[
        int | None, typer.Option(min=2, help="Split long texts into passages of this many words, each with its vector.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change in the engine; change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Index a collection: every document is encoded once and written in batches.

    Run it again after an interruption, or when documents changed: unchanged documents are skipped. Strings other than
    title and text, and dates, become keywords. Token vectors take most of the index; --token-vectors none leaves them
    out, and then a search by late interaction encodes texts.

    Examples:
    hybridrank index --collection ./docs --index docs
    hybridrank index --collection ./docs --index docs --engine http://localhost:9200 --dry-run
    hybridrank index --collection ./docs --index docs --token-vectors none
    hybridrank index --collection ./docs --index docs --sparse splade
    hybridrank index --collection ./docs --index docs --language de --subfield prefix --boost title=2 --boost text=1
    hybridrank index --collection ./docs --index docs --engine http://localhost:9200 --passages 180 --vectors int8
    """
    if context.invoked_subcommand:
        return
    from hybridrank.cli.actions.index import index_collection, plan_index, show_lines
    from hybridrank.cli.nothing_written import NothingWritten
    from hybridrank.cli.session import default_engine
    from hybridrank.common.errors import BadLine
    from hybridrank.connector.indexing.splitting import Split
    from hybridrank.evaluation.collections.beir import BeirFolder

    if collection is None or not index:
        raise typer.BadParameter("is missing", param_hint="--index" if collection else "--collection")
    if passages and token_vectors not in (None, "none"):
        raise typer.BadParameter("token vectors are stored for whole documents", param_hint="--passages")
    cut = Split(passages, passages // 6) if passages else None
    definition = replace(
        text_definition(language, subfield, boost, synonyms, objects), vectors=vectors, passages=cut is not None
    )
    bad_lines: list[BadLine] = []
    folder = BeirFolder(collection, report=bad_lines.append)
    if dry_run:
        changes = asyncio.run(
            plan_index(engine or default_engine(), index, sidecar, definition, token_vectors, colbert, sparse)
        )
        print(json.dumps(changes) if as_json else "\n".join(changes) or "nothing would change")
        return
    address = engine or default_engine()
    report, tokens, on_tokens = asyncio.run(
        index_collection(
            folder,
            index,
            address,
            sidecar,
            token_vectors,
            colbert,
            definition=definition,
            passages=cut,
            sparse=sparse,
        )
    )
    if as_json:
        stored = tokens and {"model": tokens.name, "format": tokens.format}
        more = {"bad_lines": [str(each) for each in bad_lines], "token_vectors": stored}
        print(json.dumps(asdict(report) | more))
    else:
        out.print(
            f"{index}: {counted(report.indexed, 'document')} written ({report.encoded} encoded),"
            f" {report.unchanged} unchanged, {counted(len(bad_lines), 'bad line')}, {len(report.rejected)} rejected;"
            f" the index holds {report.total_in_index}\n{on_tokens}",
            markup=False,
        )
    show_lines("bad line", [str(each) for each in bad_lines])
    show_lines("rejected", [f"{each.doc_id}: {each.reason}" for each in report.rejected])
    if not report.indexed + report.unchanged:
        raise NothingWritten(f"{collection} has no document that could be")
    if report.rejected:
        raise typer.Exit(1)
