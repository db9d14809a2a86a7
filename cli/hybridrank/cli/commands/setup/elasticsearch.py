"""`hybridrank setup elasticsearch`: inference endpoints that call a sidecar."""

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

__all__ = ["elasticsearch"]


def elasticsearch(
    url: UrlOption,
    sidecar: SidecarHttpOption = "",
    reranker: RerankerOption = "cross-encoder",
    encoder: EncoderOption = "encoder",
    timeout_s: Annotated[int, typer.Option(min=1, help="Seconds after which the sidecar drops a call.")] = 5,
    plaintext_api_key: PlaintextApiKeyOption = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what setup created.")] = False,
    dry_run: DryRunOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Create inference endpoints through which Elasticsearch reranks and embeds; they need a licence that has them.

    Run it again at any time: only differences are changed. HYBRIDRANK_CLIENT_API_KEY is the API key of the sidecar.

    Examples:
    hybridrank setup elasticsearch --url http://localhost:9200 --sidecar http://localhost:8080 --dry-run
    hybridrank setup elasticsearch --url http://localhost:9200 --remove
    """
    from hybridrank.cli.console.steps import ask, check_sidecar, out, show
    from hybridrank.cli.session import open_engine
    from hybridrank.cluster_setup.elasticsearch_endpoints import carry_out, found_endpoints
    from hybridrank.connector.engines.base import rest_api
    from hybridrank.connector.engines.elasticsearch.licence import active_licence, licence_lack
    from hybridrank.connector.engines.rest.answers import reading
    from hybridrank.connector.errors import EngineError
    from hybridrank.index_templates.inference import RERANKER, endpoints
    from hybridrank.index_templates.ml_commons import HttpSidecar, key_digest
    from hybridrank.index_templates.setup_plan import Part, Step, plan, plan_removal

    api_key = os.environ.get("HYBRIDRANK_CLIENT_API_KEY", "")
    if not remove:
        check_sidecar(sidecar, api_key, plaintext=plaintext_api_key)
    target = HttpSidecar(sidecar.rstrip("/"), reranker, encoder, timeout_s, key_digest(api_key))

    async def run() -> tuple[Step, ...]:
        engine = await open_engine(url)
        try:
            if "inference" not in engine.apis:
                raise typer.BadParameter(f"{engine!r} is not an Elasticsearch", param_hint="--url")
            api = rest_api(engine)
            if lack := licence_lack("an inference endpoint", await active_licence(api.request)):
                raise EngineError(f"{lack}; the library needs neither", reason="no_licence")
            wanted = endpoints(target, (await api.info()).version)
            with reading(api.url):
                found = await found_endpoints(api.request, wanted)
            parts = [Part("inference endpoint", name, body) for name, body in wanted.items()]
            steps = plan_removal(found, {}) if remove else plan(parts, found)
            show(steps, as_json=as_json)
            if steps and not dry_run:
                ask(steps, yes=yes)
                for step in steps:
                    await carry_out(api.request, step, api_key)
            return steps
        finally:
            await engine.close()

    steps = asyncio.run(run())
    if as_json:
        return
    if not steps:
        out.print("nothing would change" if dry_run else "nothing to change")
    elif not dry_run:
        out.print("done" if remove else f"done: rerank by the endpoint {RERANKER} (docs/elasticsearch.md)")
