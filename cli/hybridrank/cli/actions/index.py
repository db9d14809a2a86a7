"""`hybridrank index`: writes a folder of documents into an index, with vectors; resumable."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from rich.console import Console

from hybridrank.cli.console.progress import ConsoleProgress
from hybridrank.cli.options.choices import TokenChoice
from hybridrank.cli.session import encoders_of, open_engine, open_sidecar
from hybridrank.common.counts import counted, first_lines
from hybridrank.connector import IndexMissing, ModelInfo
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.engines.index_names import check_new_name
from hybridrank.connector.indexing import (
    LATE_INTERACTION,
    IndexingReport,
    default_token_vectors,
    find_encoder,
    find_sparse_encoder,
    find_token_encoder,
)
from hybridrank.connector.indexing.resumable import index_resumably
from hybridrank.connector.indexing.splitting import Split
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.sidecar_client.model_names import models_by_name
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.index_templates import IndexDefinition, TokenNote
from hybridrank.index_templates.analysis import lacks
from hybridrank.index_templates.languages import language_lack

__all__ = ["index_collection", "plan_index", "show_lines"]

_SHOWN = 20  # bad lines and rejected documents that are listed

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


async def index_collection(
    folder: BeirFolder,
    name: str,
    engine: str,
    sidecar: str,
    token_vectors: TokenChoice | None = None,
    colbert: str | None = None,
    *,
    definition: IndexDefinition | None = None,
    passages: Split | None = None,
    sparse: str | None = None,
) -> tuple[IndexingReport, TokenNote | None, str]:
    """Indexes a folder, with progress on stderr. Returns the report, the token vectors, and a sentence on them."""
    with ConsoleProgress(err).step(f"reading {folder.name}"):
        total = sum(1 for _ in BeirFolder(folder.folder, report=lambda _line: None).documents())
    target = await open_engine(engine)
    try:
        await _tell_lacks(target, definition)
        with suppress(IndexMissing):  # it is created
            await target.check_writable(name)
        existing = await _existing(target, name)
        needs = _needs(existing, token_vectors, colbert, sparse)
        async with open_sidecar(sidecar, needs=needs, encoders=encoders_of(existing)) as client:
            models = await client.models()
            _tell_languages(definition, models, needs)
            tokens = None if passages else _tokens(models, existing, token_vectors, colbert)
            report = await index_resumably(
                target,
                client,
                name,
                folder.documents(),
                title=f"indexing {folder.name}",
                total=total,
                progress=ConsoleProgress(err),
                token_vectors=tokens.format if tokens else None,
                colbert=tokens.name if tokens else "",
                definition=definition,
                passages=passages,
                sparse=sparse,
            )
            noted = (await target.fields(name)).token_vectors is not None
            lack = _lack(existing, token_vectors, passages=passages is not None)
            return report, tokens, _said(report, tokens, lack, noted=noted)
    finally:
        await target.close()


async def plan_index(
    engine: str,
    name: str,
    sidecar: str,
    definition: IndexDefinition,
    token_vectors: TokenChoice | None = None,
    colbert: str | None = None,
    sparse: str | None = None,
) -> tuple[str, ...]:
    """Returns the changes that indexing would make to the engine."""
    target = await open_engine(engine)
    try:
        await _tell_lacks(target, definition)
        existing = await _existing(target, name)
        needs = _needs(existing, token_vectors, colbert, sparse)
        async with open_sidecar(sidecar, needs=needs, encoders=encoders_of(existing)) as client:
            info = find_encoder(models := await client.models(), "encoder")
            sparse_info = find_sparse_encoder(models, sparse) if sparse else None
            _tell_languages(definition, models, needs)
        planned = replace(
            definition,
            dimensions=info.dimensions,
            encoder=info.encoder,
            sparse=sparse_info.encoder if sparse_info else None,
            token_vectors=None if definition.passages else _tokens(models, existing, token_vectors, colbert),
        )
        return await target.plan_index(name, planned)
    finally:
        await target.close()


async def _existing(engine: Engine, name: str) -> Fields | None:
    """Returns the fields of the index; None for one that will be created. Raises EngineError for a name."""
    try:
        return await engine.fields(name)
    except IndexMissing:
        check_new_name(name)
        return None


def _needs(
    existing: Fields | None, packing: TokenChoice | None, colbert: str | None, sparse: str | None
) -> tuple[str, ...]:
    """Returns the models without which nothing is written."""
    late = None if packing == "none" else colbert or _noted_name(existing) or (LATE_INTERACTION if packing else None)
    return tuple(filter(None, ("encoder", late, sparse)))


def _tokens(
    models: Sequence[ModelInfo], existing: Fields | None, packing: TokenChoice | None, colbert: str | None
) -> TokenNote | None:
    """Returns the token vectors to store: those that the options name, else the default. Raises SidecarError."""
    if packing == "none":
        return None
    if packing is None:
        return default_token_vectors(models, existing, colbert)
    name = colbert or _noted_name(existing) or LATE_INTERACTION
    return find_token_encoder(models, name, packing).token_note(packing)


def _lack(existing: Fields | None, packing: TokenChoice | None, *, passages: bool) -> str:
    """Returns why an index has no token vectors, if it has none."""
    if passages:
        return "passages have none"
    if packing:
        return "asked"
    made = f"there is no model {LATE_INTERACTION!r} that makes them"
    return "the index was made without" if existing else made


def _said(report: IndexingReport, tokens: TokenNote | None, lack: str, *, noted: bool) -> str:
    """Returns the line on the stored token vectors, or why there are none."""
    if not tokens:
        return f"token vectors: none, as {lack}"
    cut = f"; {counted(report.truncated, 'document')} longer than its windows" if report.truncated else ""
    lone = "" if noted else "; not noted, because other documents of the index have none"
    return f"token vectors: {tokens.format}, of {tokens.name}{cut}{lone}"


def _noted_name(existing: Fields | None) -> str | None:
    return existing.token_vectors.name if existing and existing.token_vectors else None


async def _tell_lacks(engine: Engine, definition: IndexDefinition | None) -> None:
    """Prints the requested analysis that the engine does not have."""
    if definition:
        capabilities = (await engine.info()).capabilities
        for sentence in lacks(definition.language, definition.subfields, capabilities):
            err.print(f"note: {sentence}", markup=False)


def _tell_languages(definition: IndexDefinition | None, models: Sequence[ModelInfo], names: Sequence[str]) -> None:
    """Prints a warning for each model that was not trained on the language of the texts."""
    known = models_by_name(models)
    for info in dict.fromkeys(known[name] for name in names if name in known):
        if lack := language_lack((definition or IndexDefinition()).language, info.name, info.languages):
            err.print(f"warning: {lack}; its vectors rank such texts badly (docs/models.md#languages)", markup=False)


def show_lines(label: str, lines: list[str]) -> None:
    """Lists the first lines on stderr, and how many more there are."""
    for line in first_lines(label, lines, _SHOWN):
        err.print(line, markup=False)
