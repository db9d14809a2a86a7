"""A bench of experiments: writes a collection into an index and runs pipelines over its queries."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from hybridrank.common.counts import counted, first_lines
from hybridrank.common.progress import Progress
from hybridrank.connector import HybridSearch, IndexMissing, ModelInfo, SidecarClient
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.indexing import LATE_INTERACTION, IndexingReport
from hybridrank.connector.indexing.resumable import index_resumably
from hybridrank.connector.sidecar_client.model_names import models_by_name
from hybridrank.connector.types import Document, TokenFormat
from hybridrank.evaluation.collections.beir import CollectionError
from hybridrank.evaluation.collections.document_names import DocumentNames
from hybridrank.evaluation.collections.judged import JudgedCollection
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.evaluation.experiments.experiment import PipelineRun, run_pipeline
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings
from hybridrank.evaluation.experiments.served_models import UnknownModel
from hybridrank.index_templates import TokenNote

__all__ = ["Bench", "index_name"]


@dataclass(frozen=True)
class Bench:
    """An engine and a sidecar that are measured. `created` and `existing` are the indices that were written.

    `sparse` names the model whose sparse vectors the indices hold, None for indices without. `token_vectors` are those
    that the index holds already, and keeps.
    """

    engine: Engine
    sidecar: SidecarClient
    models: tuple[ModelInfo, ...]
    progress: Progress
    sparse: str | None = None
    token_vectors: TokenNote | None = None
    created: list[str] = field(default_factory=list)
    existing: list[str] = field(default_factory=list)

    def index_name(self, name: str, digest: str, token_vectors: TokenFormat | None = None) -> str:
        """Returns the name of the index for a collection's content with vectors of the sidecar's models."""
        known = models_by_name(self.models)
        encoder = known["encoder"].digest if "encoder" in known else ""
        return index_name(name, digest, encoder, token_vectors, known[self.sparse].digest if self.sparse else "")

    def settings(self, settings: PipelineSettings) -> PipelineSettings:
        """Returns the settings with the model of the sparse vectors."""
        return replace(settings, sparse_encoder=self.sparse) if self.sparse else settings

    async def index(
        self,
        index: str,
        documents: Sequence[Document],
        token_vectors: TokenFormat | None = None,
        colbert: Sequence[str] = (),
    ) -> IndexingReport:
        """Writes the documents that are new or changed; vectors that were computed before come from the cache.

        With `token_vectors`, stores those of the model that all names in `colbert` refer to; without, those that the
        index has. Raises UnknownModel for several models, and CollectionError if the index is empty afterwards.
        """
        kept = self.token_vectors
        if len({models_by_name(self.models)[name] for name in colbert}) > 1:
            raise UnknownModel(f"an index holds token vectors of one model, not of {' and '.join(colbert)}")
        try:
            await self.engine.fields(index)
        except IndexMissing:
            self.created.append(index)
        else:
            self.existing.append(index)
        report = await index_resumably(
            self.engine,
            self.sidecar,
            index,
            documents,
            title=f"indexing {counted(len(documents), 'document')}",
            total=len(documents),
            progress=self.progress,
            token_vectors=token_vectors or (kept and kept.format),
            colbert=next(iter(colbert), kept.name if kept else LATE_INTERACTION),
            sparse=self.sparse,
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
        """Indexes a collection; reports documents that the engine rejected or that are not in the collection.

        Several indices behind one name are searched unchanged. Raises AmbiguousId if a judgment fits several documents.
        """
        with suppress(IndexMissing):
            names = await DocumentNames.of(self.engine, index)
            if len(names.indices) > 1:
                names.check_qrels(collection.qrels)
                self.progress.note(
                    f"note: {index} stands for {len(names.indices)} indices, which are searched as they are; nothing is"
                    " written"
                )
                return
        report = await self.index(index, collection.documents, token_vectors, colbert)
        for line in first_lines("rejected", [f"{each.doc_id}: {each.reason}" for each in report.rejected]):
            self.progress.note(line)
        if (others := report.total_in_index - len(collection.documents)) > 0:
            self.progress.note(
                f"note: index {index} holds documents that are not in the collection and compete with it: {others}"
            )

    async def run(
        self, index: str, pipelines: Sequence[Pipeline], queries: Mapping[str, str], settings: PipelineSettings
    ) -> dict[str, PipelineRun]:
        """Returns the run of each pipeline over all queries, by the pipeline's name."""
        search = HybridSearch(self.engine, self.sidecar, fusion=settings.fusion)
        runs = {}
        for each in pipelines:
            with self.progress.step(f"{each.name}: {counted(len(queries), 'query')}", len(queries)) as advance:
                runs[each.name] = await run_pipeline(search, each, index, queries, settings, lambda: advance(1))
        return runs

    async def about(self, settings: PipelineSettings, collection: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the description of an experiment for the JSON of its result."""
        return {
            "collection": dict(collection),
            "settings": settings.as_json(),
            **describe_environment(await self.engine.info(), self.models),
        }


def index_name(
    name: str, digest: str, encoder_digest: str = "", token_vectors: TokenFormat | None = None, sparse_digest: str = ""
) -> str:
    """Returns a name that every engine accepts, a different one for each content of a collection and each encoder.

    >>> index_name("My docs", "0123456789abcdef", "fedcba9876543210")
    'my-docs-0123456789ab-fedcba98'
    >>> index_name("My docs", "0123456789abcdef", "fedcba9876543210", "int8", "89abcdef01234567")
    'my-docs-0123456789ab-fedcba98-int8-sparse-89abcdef'
    """
    words = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "collection"
    sparse = sparse_digest and f"sparse-{sparse_digest[:8]}"
    return "-".join(filter(None, (words, digest[:12], encoder_digest[:8], token_vectors, sparse)))
