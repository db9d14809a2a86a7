"""`hybridrank index`: writes a folder of documents into an index, with vectors; resumable."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from rich.console import Console

from hybridrank.cli.console.progress import ConsoleProgress
from hybridrank.cli.session import noted_encoders, open_engine, open_sidecar
from hybridrank.common.counts import first_lines
from hybridrank.connector import IndexMissing, ModelInfo
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.engines.index_names import check_new_name
from hybridrank.connector.indexing import IndexingReport, find_encoder, find_sparse_encoder
from hybridrank.connector.indexing.resumable import index_resumably
from hybridrank.connector.indexing.splitting import Split
from hybridrank.connector.sidecar_client.model_names import models_by_name
from hybridrank.connector.types import TokenFormat
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.index_templates import EncoderNote, IndexDefinition
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
    token_vectors: TokenFormat | None = None,
    colbert: str = "colbert",
    *,
    definition: IndexDefinition | None = None,
    passages: Split | None = None,
    sparse: str | None = None,
) -> IndexingReport:
    """Indexes a folder, with progress on stderr."""
    with ConsoleProgress(err).step(f"reading {folder.name}"):
        total = sum(1 for _ in BeirFolder(folder.folder, report=lambda _line: None).documents())
    target = await open_engine(engine)
    try:
        await _tell_lacks(target, definition)
        with suppress(IndexMissing):  # it is created
            await target.check_writable(name)
        encoders = await _encoders(target, name)
        needs = ("encoder", *([colbert] if token_vectors else []), *([sparse] if sparse else []))
        async with open_sidecar(sidecar, needs=needs, encoders=encoders) as client:
            _tell_languages(definition, await client.models(), needs)
            return await index_resumably(
                target,
                client,
                name,
                folder.documents(),
                title=f"indexing {folder.name}",
                total=total,
                progress=ConsoleProgress(err),
                token_vectors=token_vectors,
                colbert=colbert,
                definition=definition,
                passages=passages,
                sparse=sparse,
            )
    finally:
        await target.close()


async def plan_index(
    engine: str, name: str, sidecar: str, definition: IndexDefinition, sparse: str | None = None
) -> tuple[str, ...]:
    """Returns the changes that indexing would make to the engine."""
    target = await open_engine(engine)
    try:
        await _tell_lacks(target, definition)
        needs = ("encoder", *([sparse] if sparse else []))
        encoders = await _encoders(target, name)
        async with open_sidecar(sidecar, needs=needs, encoders=encoders) as client:
            info = find_encoder(models := await client.models(), "encoder")
            sparse_info = find_sparse_encoder(models, sparse) if sparse else None
            _tell_languages(definition, models, needs)
        made_by = sparse_info.encoder if sparse_info else None
        planned = replace(definition, dimensions=info.dimensions, encoder=info.encoder, sparse=made_by)
        return await target.plan_index(name, planned)
    finally:
        await target.close()


async def _encoders(engine: Engine, name: str) -> tuple[EncoderNote, ...]:
    """Returns the encoders that the index notes; none for one that will be created. Raises EngineError for a name."""
    try:
        return await noted_encoders(engine, name)
    except IndexMissing:
        check_new_name(name)
        return ()


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
