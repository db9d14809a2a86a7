"""The bench that a command measures on; its engine and sidecar are connected, or started, for the command."""

import os
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from hybridrank.cli.session import encoders_of, open_engine, open_sidecar
from hybridrank.common.progress import Progress
from hybridrank.connector import IndexMissing
from hybridrank.connector.engines.base import rest_api
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.sidecar_client.model_names import models_by_name
from hybridrank.evaluation.experiments.bench import Bench
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings, compares_sparse
from hybridrank.evaluation.experiments.served_models import UnknownModel
from hybridrank.index_templates import template_name
from hybridrank.models import SHIPPED_MODELS

__all__ = ["open_bench"]

_MODELS = "HYBRIDRANK_SIDECAR_MODELS"


@asynccontextmanager
async def open_bench(
    engine: str,
    sidecar: str,
    pipelines: Sequence[Pipeline],
    progress: Progress,
    settings: PipelineSettings | None = None,
    *,
    index: str = "",
    delete_index: bool = False,
) -> AsyncIterator[Bench]:
    """Connects both and closes them at the end, when the indices that were created are deleted or listed.

    A sidecar that is started also serves the fold models of `settings`; a running one is used if its encoder made the
    vectors of `index`. Raises UnknownModel before anything is indexed or searched.
    """
    settings = settings or PipelineSettings()
    async with AsyncExitStack() as stack:
        target = await open_engine(engine)
        stack.push_async_callback(target.close)
        existing: Fields | None = None
        if index:
            with suppress(IndexMissing):
                existing = await target.fields(index)
        start: dict[str, str] = {}
        wanted = {
            model: f"pipeline {each.name}"
            for each in pipelines
            for named in each.models
            for model in settings.served(named)
        }
        sparse: str | None = None
        if compared := next((each for each in pipelines if compares_sparse([each])), None):
            sparse, wanted[settings.sparse_encoder] = settings.sparse_encoder, f"pipeline {compared.name}"
        # Documents that are written keep the vectors that the index has.
        if noted := existing.sparse_vectors if existing else None:
            sparse, wanted[noted.name] = noted.name, f"the sparse vectors of index {index}"
        if tokens := existing.token_vectors if existing else None:
            wanted[tokens.name] = f"the token vectors of index {index}"
        if settings.fold_models:
            start["models"] = os.pathsep.join(
                [os.environ.get(_MODELS, str(SHIPPED_MODELS)), str(settings.fold_models.folder)]
            )
        with progress.step("connecting to the sidecar"):
            # A cached score would be timed as if it had been computed.
            encoders = encoders_of(existing)
            opened = open_sidecar(sidecar, start, needs=("encoder", *wanted), encoders=encoders, no_cache=True)
            client = await stack.enter_async_context(opened)
            models = await client.models()
        known = models_by_name(models)
        for model, part in wanted.items():
            if model not in known:
                names = ", ".join(sorted(known))
                raise UnknownModel(f"{part}: the sidecar has no model {model!r}; it has {names}")
        bench = Bench(target, client, models, progress, sparse, tokens)
        stack.push_async_callback(_settle_created, bench, delete=delete_index)
        yield bench


async def _settle_created(bench: Bench, *, delete: bool) -> None:
    """Deletes the indices that this command created, with their templates, or says that they stay on the cluster."""
    for index in dict.fromkeys(each for each in bench.existing if delete and each not in bench.created):
        bench.progress.note(f"note: index {index} was there before; kept")
    for index in bench.created:
        if delete:
            await bench.engine.delete_index(index)
            bench.progress.note(f"deleted index {index}")
        elif "rest" in bench.engine.apis:
            url = rest_api(bench.engine).url
            paths = [f"{url}/{path}" for path in (index, f"_index_template/{template_name(index)}")]
            bench.progress.note(
                f"note: index {index} and its index template were made on the cluster and stay for the next run;"
                " evaluate and tune delete at the end what they have made with --delete-index. To delete these later:\n"
                f"  curl -X DELETE {' '.join(map(shlex.quote, paths))}"
            )
