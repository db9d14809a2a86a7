"""`hybridrank setup opensearch`: pipelines, models and connectors that call a sidecar."""

import asyncio
import os
from typing import Annotated

import typer

from hybridrank.cli.options.setup import (
    EncoderOption,
    PlaintextApiKeyOption,
    RerankerOption,
    SidecarHttpOption,
    UrlOption,
)
from hybridrank.cli.options.shared import DryRunOption, JsonOption

__all__ = ["opensearch"]


def opensearch(
    url: UrlOption,
    sidecar: SidecarHttpOption = "",
    index: Annotated[str, typer.Option(help="A new index whose documents are embedded as they are written.")] = "",
    field: Annotated[
        list[str] | None,
        typer.Option(help="A text field that is searched and scored; may be repeated.", show_default="title, text"),
    ] = None,
    score_field: Annotated[str, typer.Option(help="The number field that the pipeline by field ranks by.")] = "score",
    reranker: RerankerOption = "cross-encoder",
    encoder: EncoderOption = "encoder",
    dimensions: Annotated[
        int | None, typer.Option(min=1, help="Of the encoder's vectors.", show_default="ask the sidecar")
    ] = None,
    timeout_s: Annotated[int, typer.Option(min=1, help="Seconds a search waits for the sidecar.")] = 5,
    private: Annotated[
        bool | None,
        typer.Option("--private/--public", help="Kind of the sidecar's address.", show_default="look its name up"),
    ] = None,
    plaintext_api_key: PlaintextApiKeyOption = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what setup created, and restore settings.")] = False,
    dry_run: DryRunOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Change cluster settings, or remove, without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Create pipelines, models and connectors through which OpenSearch embeds, fuses and reranks.

    Run it again at any time: only differences are changed. HYBRIDRANK_CLIENT_API_KEY is the API key of the sidecar.

    Examples:
    hybridrank setup opensearch --url http://localhost:9200 --sidecar http://localhost:8080 --index docs --dry-run
    hybridrank setup opensearch --url http://localhost:9200 --remove
    """
    from hybridrank.cli.console.steps import ask, check_sidecar, has_private_address, out, show, vector_length
    from hybridrank.cli.session import open_engine
    from hybridrank.cluster_setup.opensearch_cluster import Cluster, carry_out, cluster_settings, read_cluster
    from hybridrank.cluster_setup.sidecar_http import encoder_note
    from hybridrank.connector.engines.base import rest_api
    from hybridrank.connector.engines.index_names import new_name_problem
    from hybridrank.connector.engines.rest.answers import reading
    from hybridrank.index_templates import DEFAULT_BOOSTS
    from hybridrank.index_templates.ml_commons import HttpSidecar, key_digest
    from hybridrank.index_templates.ml_settings import undone
    from hybridrank.index_templates.setup_parts import SEARCH_TEMPLATE, IndexWish, parts
    from hybridrank.index_templates.setup_plan import Step, plan, plan_removal

    api_key = os.environ.get("HYBRIDRANK_CLIENT_API_KEY", "")
    if index and (problem := new_name_problem(index)):
        raise typer.BadParameter(problem, param_hint="--index")
    if not remove:
        check_sidecar(sidecar, api_key, plaintext=plaintext_api_key)
    target = HttpSidecar(sidecar.rstrip("/"), reranker, encoder, timeout_s, key_digest(api_key))
    if private is None:
        private = not remove and has_private_address(target)
    if index and not remove and dimensions is None:
        dimensions = vector_length(target, api_key)
    note = encoder_note(target, api_key) if index and not remove else None

    def planned(cluster: Cluster) -> tuple[Step, ...]:
        if remove:
            return plan_removal(cluster.found, undone(cluster.settings, cluster.record))
        wish = IndexWish(index, dimensions, note) if index and dimensions else None
        wanted = parts(target, text_fields=field or tuple(DEFAULT_BOOSTS), score_field=score_field, index=wish)
        return plan((*cluster_settings(cluster, target, private=bool(private)), *wanted), cluster.found)

    async def run() -> tuple[Step, ...]:
        engine = await open_engine(url)
        try:
            if "ml_commons" not in engine.apis:
                raise typer.BadParameter(f"{engine!r} is not an OpenSearch", param_hint="--url")
            api = rest_api(engine)
            with reading(api.url):
                cluster = await read_cluster(api.request)
            steps = planned(cluster)
            show(steps, as_json=as_json)
            if steps and not dry_run:
                ask(steps, yes=yes)
                await carry_out(api.request, steps, cluster.found, api_key=api_key)
            return steps
        finally:
            await engine.close()

    steps = asyncio.run(run())
    if as_json:
        return
    if not steps:
        out.print("nothing would change" if dry_run else "nothing to change")
    elif not dry_run:
        out.print("done" if remove else f"done: try the search template {SEARCH_TEMPLATE} (docs/opensearch.md)")
