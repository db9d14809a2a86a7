"""Parts of the measuring commands: indexing a collection and running pipelines over its queries, with progress."""

import os
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from hybridrank.cli.feature_sets import by_name
from hybridrank.cli.progress import progress
from hybridrank.cli.resumable import index_resumably
from hybridrank.cli.session import noted_encoders, open_engine, open_sidecar
from hybridrank.cli.startable import UnknownModel
from hybridrank.common.counts import counted
from hybridrank.common.errors import BadLine
from hybridrank.connector import HybridSearch, IndexMissing, ModelInfo, SidecarClient
from hybridrank.connector.engines.base import Engine, rest_api
from hybridrank.connector.indexing import IndexingReport
from hybridrank.connector.types import Document, TokenFormat
from hybridrank.evaluation.collections.beir import BeirFolder, CollectionError, Qrels
from hybridrank.evaluation.collections.dangling import dangling
from hybridrank.evaluation.collections.document_names import DocumentNames
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.evaluation.experiments.experiment import PipelineRun, run_pipeline
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings
from hybridrank.index_templates import EncoderNote, template_name
from hybridrank.models import SHIPPED_MODELS

_MODELS = "HYBRIDRANK_SIDECAR_MODELS"

SHOWN = 10  # bad lines and rejected documents that are listed before "and N more"

__all__ = [
    "Bench",
    "JudgedCollection",
    "index_name",
    "judged_queries",
    "open_bench",
    "read_collection",
    "tell_dangling",
]


@dataclass(frozen=True)
class JudgedCollection:
    """A collection that was read: its documents, its queries (query_id → text), and the judgments of one split."""

    name: str
    digest: str
    split: str
    documents: Sequence[Document]
    queries: Mapping[str, str]
    qrels: Qrels
    bad_lines: int

    def facts(self, searched: Mapping[str, str]) -> dict[str, Any]:
        """Returns the collection's entry in the JSON result, with only the queries that were searched."""
        return {
            "name": self.name,
            "digest": self.digest,
            "split": self.split,
            "documents": len(self.documents),
            "queries": len(searched),
            "judgments": sum(map(len, self.qrels.values())),
            "bad_lines": self.bad_lines,
        }


@dataclass(frozen=True)
class Bench:
    """An engine and a sidecar to measure, and where progress goes."""

    engine: Engine
    sidecar: SidecarClient
    models: tuple[ModelInfo, ...]
    console: Console
    created: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def index_name(self, name: str, digest: str) -> str:
        """Of the index of a collection's content with vectors of the sidecar's encoder."""
        encoder = by_name(self.models).get("encoder")
        return index_name(name, digest, encoder.digest if encoder else "")

    async def index(
        self,
        index: str,
        documents: Sequence[Document],
        token_vectors: TokenFormat | None = None,
        colbert: Sequence[str] = (),
    ) -> IndexingReport:
        """Write the documents that are new or changed; vectors that were computed once come from the cache.

        With `token_vectors`, those of the model that all names in `colbert` lead to. Raises UnknownModel for several,
        and CollectionError where the index is empty then.
        """
        if len({by_name(self.models)[name] for name in colbert}) > 1:
            raise UnknownModel(f"an index holds token vectors of one model, not of {' and '.join(colbert)}")
        try:
            await self.engine.fields(index)
        except IndexMissing:
            self.created.append(index)
        else:
            self.found.append(index)
        report = await index_resumably(
            self.engine,
            self.sidecar,
            index,
            documents,
            title=f"indexing {counted(len(documents), 'document')}",
            total=len(documents),
            console=self.console,
            token_vectors=token_vectors,
            colbert=next(iter(colbert), "colbert"),
        )
        if not report.total_in_index:
            raise CollectionError(f"index {index} holds no document, and none of the collection could be written")
        return report

    async def fill(
        self,
        index: str,
        collection: JudgedCollection,
        token_vectors: TokenFormat | None = None,
        colbert: Sequence[str] = (),
    ) -> None:
        """Index a collection, and tell of documents that the engine rejected or that are no part of it.

        Several indices behind one name are searched as they are; AmbiguousId where a judgment does not say which.
        """
        with suppress(IndexMissing):
            names = await DocumentNames.of(self.engine, index)
            if len(names.indices) > 1:
                names.check_qrels(collection.qrels)
                self.console.print(
                    f"note: {index} stands for {len(names.indices)} indices, which are searched as they are; nothing is"
                    " written"
                )
                return
        report = await self.index(index, collection.documents, token_vectors, colbert)
        _list(self.console, "rejected", [f"{each.doc_id}: {each.reason}" for each in report.rejected])
        if (others := report.total_in_index - len(collection.documents)) > 0:
            self.console.print(
                f"note: index {index} holds documents that are not in the collection and compete with it: {others}"
            )

    async def run(
        self, index: str, pipelines: Sequence[Pipeline], queries: Mapping[str, str], settings: PipelineSettings
    ) -> dict[str, PipelineRun]:
        """Every pipeline over every query, by the pipeline's name."""
        search = HybridSearch(self.engine, self.sidecar, fusion=settings.fusion)
        runs = {}
        for each in pipelines:
            with progress(f"{each.name}: {counted(len(queries), 'query')}", self.console, len(queries)) as advance:
                runs[each.name] = await run_pipeline(search, each, index, queries, settings, lambda: advance(1))
        return runs

    async def about(self, settings: PipelineSettings, collection: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the description of the run in the JSON result."""
        return {
            "collection": dict(collection),
            "settings": settings.as_json(),
            **describe_environment(await self.engine.info(), self.models),
        }


async def open_bench(
    stack: AsyncExitStack,
    engine: str,
    sidecar: str,
    pipelines: Sequence[Pipeline],
    console: Console,
    settings: PipelineSettings | None = None,
    *,
    index: str = "",
    delete_index: bool = False,
) -> Bench:
    """Connect both; they are closed with `stack`. A sidecar that is started has the fold models of `settings` too;
    one that runs is used where its encoder made the vectors of `index`.

    Raises UnknownModel before anything is indexed or searched.
    """
    settings = settings or PipelineSettings()
    target = await open_engine(engine)
    stack.push_async_callback(target.close)
    encoders: tuple[EncoderNote, ...] = ()
    with suppress(IndexMissing):
        encoders = await noted_encoders(target, index) if index else ()
    start: dict[str, str] = {}
    wanted = {model: each.name for each in pipelines for named in each.models for model in settings.served(named)}
    if settings.fold_models:
        start["models"] = os.pathsep.join(
            [os.environ.get(_MODELS, str(SHIPPED_MODELS)), str(settings.fold_models.folder)]
        )
    with progress("connecting to the sidecar", console):
        # A score that is looked up would be timed as if it had been computed.
        opened = open_sidecar(sidecar, start, needs=("encoder", *wanted), encoders=encoders, no_cache=True)
        client = await stack.enter_async_context(opened)
        models = await client.models()
    known = by_name(models)
    for model, pipeline in wanted.items():
        if model not in known:
            names = ", ".join(sorted(known))
            raise UnknownModel(f"pipeline {pipeline}: the sidecar has no model {model!r}; it has {names}")
    bench = Bench(target, client, models, console)
    stack.push_async_callback(_settle_created, bench, delete=delete_index)
    return bench


async def _settle_created(bench: Bench, *, delete: bool) -> None:
    """Delete the indices that this command made, with their templates, or say that they stay on the cluster."""
    for index in dict.fromkeys(each for each in bench.found if delete and each not in bench.created):
        bench.console.print(f"note: index {index} was there before; kept", markup=False)
    for index in bench.created:
        if delete:
            await bench.engine.delete_index(index)
            bench.console.print(f"deleted index {index}", markup=False)
        elif "rest" in bench.engine.apis:
            paths = [
                f"{rest_api(bench.engine).url}/{path}" for path in (index, f"_index_template/{template_name(index)}")
            ]
            bench.console.print(
                f"note: index {index} and its index template were made on the cluster and stay for the next run;"
                " evaluate and tune delete at the end what they have made with --delete-index. To delete these later:\n"
                f"  curl -X DELETE {' '.join(map(shlex.quote, paths))}",
                markup=False,
            )


def read_collection(folder: Path, split: str, console: Console) -> JudgedCollection:
    """Read a BEIR folder; list its bad lines, and count judgments of what it lacks. Raises CollectionError."""
    bad_lines: list[BadLine] = []
    collection = BeirFolder(folder, report=bad_lines.append)
    qrels, queries = collection.qrels(split), collection.queries()
    with progress(f"reading {collection.name}", console):
        documents = list(collection.documents())
        digest = collection.digest()
    _list(console, "bad line", [str(each) for each in bad_lines])
    tell_dangling(console, qrels, queries, documents, split)
    return JudgedCollection(collection.name, digest, split, documents, queries, qrels, len(bad_lines))


def tell_dangling(
    console: Console, qrels: Qrels, query_ids: Collection[str], documents: Iterable[Document], split: str
) -> None:
    """Print how many judgments are of queries or documents that the collection lacks."""
    for sentence in dangling(qrels, query_ids, {each.doc_id for each in documents}, split):
        console.print(f"note: {sentence}", markup=False)


def index_name(name: str, digest: str, encoder_digest: str = "") -> str:
    """An index of its own for every content of a collection and every encoder, by a name that every engine takes.

    >>> index_name("My docs", "0123456789abcdef", "fedcba9876543210")
    'my-docs-0123456789ab-fedcba98'
    """
    words = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "collection"
    return "-".join(filter(None, (words, digest[:12], encoder_digest[:8])))


def judged_queries(queries: Mapping[str, str], qrels: Qrels, limit: int | None = None) -> dict[str, str]:
    """The first `limit` queries that have a judgment, in the collection's order."""
    judged = [query_id for query_id in queries if query_id in qrels]
    return {query_id: queries[query_id] for query_id in judged[:limit]}


def _list(console: Console, label: str, lines: Sequence[str]) -> None:
    for line in lines[:SHOWN]:
        console.print(f"{label}: {line}", markup=False)
    if len(lines) > SHOWN:
        console.print(f"and {len(lines) - SHOWN} more")
