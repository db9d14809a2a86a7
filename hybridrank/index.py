"""`hybridrank index`: a folder of documents into an index, with vectors, resumable."""

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from connector import connect_engine
from connector.engines.base import Engine
from connector.indexing import IndexingReport, index_documents
from connector.splitting import Split
from connector.types import TokenFormat
from connector.vector_cache import VectorCache
from evaluation.collections import BadLine, BeirFolder
from hybridrank.index_bm25 import bm25
from hybridrank.index_options import (
    BoostOption,
    LanguageOption,
    ObjectsOption,
    SubfieldOption,
    SynonymsOption,
    text_definition,
)
from hybridrank.index_swap import swap
from hybridrank.index_synonyms import synonyms as replace_synonyms
from hybridrank.options import EngineOption, IndexOption, JsonOption, SidecarOption, cache_folder
from hybridrank.progress import progress
from hybridrank.session import default_engine, open_sidecar
from index_templates import IndexDefinition
from index_templates.analysis import lacks
from index_templates.vectors import VectorKind

__all__ = ["app", "index_collection"]

_SHOWN = 20  # bad lines and rejected documents listed before "and N more"

app = typer.Typer(invoke_without_command=True)
app.command()(swap)
app.command("synonyms")(replace_synonyms)
app.command()(bm25)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@app.callback()
def index(
    context: typer.Context,
    collection: Annotated[
        Path | None, typer.Option("--collection", help="Folder with corpus.jsonl or corpus.jsonl.gz.")
    ] = None,
    index: IndexOption = "",
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    token_vectors: Annotated[
        TokenFormat | None,
        typer.Option(help="Store token vectors too, packed so, for late interaction without reading texts again."),
    ] = None,
    colbert: Annotated[str, typer.Option(help="The sidecar's model whose token vectors are stored.")] = "colbert",
    language: LanguageOption = "english",
    subfield: SubfieldOption = None,
    boost: BoostOption = None,
    synonyms: SynonymsOption = None,
    objects: ObjectsOption = "flat",
    vectors: Annotated[
        VectorKind, typer.Option(help="How the engine holds vectors: smaller ones cost some of the ranking.")
    ] = "float",
    passages: Annotated[
        int | None, typer.Option(min=2, help="Cut long texts into passages of so many words, each with its vector.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change in the engine; change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Index a collection: every document is encoded once and written in batches.

    Run it again after an interruption, or when documents changed: what is there and unchanged is skipped.

    Examples:
    hybridrank index --collection ./docs --index docs
    hybridrank index --collection ./docs --index docs --engine http://localhost:9200 --dry-run
    hybridrank index --collection ./docs --index docs --token-vectors int8
    hybridrank index --collection ./docs --index docs --language de --subfield prefix --boost title=2 --boost text=1
    hybridrank index --collection ./docs --index docs --engine http://localhost:9200 --passages 180 --vectors int8
    """
    if context.invoked_subcommand:
        return
    if collection is None or not index:
        raise typer.BadParameter("is missing", param_hint="--index" if collection else "--collection")
    if passages and token_vectors:
        raise typer.BadParameter("token vectors are stored for whole documents", param_hint="--passages")
    cut = Split(passages, passages // 6) if passages else None
    definition = replace(
        text_definition(language, subfield, boost, synonyms, objects), vectors=vectors, passages=cut is not None
    )
    bad_lines: list[BadLine] = []
    folder = BeirFolder(collection, report=bad_lines.append)
    if dry_run:
        changes = asyncio.run(_plan(engine or default_engine(), index, sidecar, definition))
        print(json.dumps(changes) if as_json else "\n".join(changes) or "nothing would change")
        return
    address = engine or default_engine()
    report = asyncio.run(
        index_collection(folder, index, address, sidecar, token_vectors, colbert, definition=definition, passages=cut)
    )
    if as_json:
        print(json.dumps(asdict(report) | {"bad_lines": [str(each) for each in bad_lines]}))
    else:
        out.print(
            f"{index}: {report.indexed} documents written ({report.encoded} encoded), {report.unchanged} unchanged,"
            f" {len(bad_lines)} bad lines, {len(report.rejected)} rejected; the index holds {report.total_in_index}"
        )
    _list("bad line", [str(each) for each in bad_lines])
    _list("rejected", [f"{each.doc_id}: {each.reason}" for each in report.rejected])
    if report.rejected:
        raise typer.Exit(1)


async def index_collection(
    folder: BeirFolder,
    name: str,
    engine: str,
    sidecar: str,
    token_vectors: TokenFormat | None = None,
    colbert: str = "colbert",
    *,
    definition: IndexDefinition | None = None,
    passages: Split | None = None,
) -> IndexingReport:
    """Index a folder with progress on stderr."""
    cache = VectorCache(cache_folder() / "vectors.sqlite3")
    with progress(f"reading {folder.name}", err):
        total = sum(1 for _ in BeirFolder(folder.folder, report=lambda _line: None).documents())
    target = await connect_engine(engine)
    try:
        await _tell_lacks(target, definition)
        async with open_sidecar(sidecar) as client:
            with progress(f"indexing {folder.name}", err, total) as advance:
                return await index_documents(
                    target,
                    client,
                    name,
                    folder.documents(),
                    cache=cache,
                    token_vectors=token_vectors,
                    colbert=colbert,
                    definition=definition,
                    passages=passages,
                    on_progress=advance,
                )
    finally:
        await target.close()


async def _plan(engine: str, name: str, sidecar: str, definition: IndexDefinition) -> tuple[str, ...]:
    target = await connect_engine(engine)
    try:
        await _tell_lacks(target, definition)
        async with open_sidecar(sidecar) as client:
            dimensions = next(each.dimensions for each in await client.models() if "encoder" in each.aliases)
        return await target.plan_index(name, replace(definition, dimensions=dimensions))
    finally:
        await target.close()


async def _tell_lacks(engine: Engine, definition: IndexDefinition | None) -> None:
    """On stderr, what was asked for that the engine goes without."""
    if definition:
        capabilities = (await engine.info()).capabilities
        for sentence in lacks(definition.language, definition.subfields, capabilities):
            err.print(f"note: {sentence}", markup=False)


def _list(label: str, lines: list[str]) -> None:
    for line in lines[:_SHOWN]:
        err.print(f"{label}: {line}", markup=False)
    if len(lines) > _SHOWN:
        err.print(f"and {len(lines) - _SHOWN} more", markup=False)
