"""`hybridrank doctor`: findings about packages, sidecar, engine and index, with advice for each problem."""

import platform
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console

from hybridrank.cli.session import open_engine, open_sidecar
from hybridrank.cluster_setup.findings import Finding
from hybridrank.cluster_setup.index_check import check_index
from hybridrank.cluster_setup.opensearch_facts import gather
from hybridrank.cluster_setup.opensearch_findings import findings as opensearch_findings
from hybridrank.common.extras import MissingExtra, install_line, missing
from hybridrank.connector import ConnectorError, EngineError, ModelInfo, SidecarClient
from hybridrank.connector.engines.base import Engine, rest_api
from hybridrank.connector.engines.rest.answers import reading
from hybridrank.index_templates.analysis import probes
from hybridrank.local_engines.errors import LocalEngineError
from hybridrank.local_engines.jdk import find_jdk

__all__ = ["TOLD_BY", "jdk", "packages", "python", "services"]

TOLD_BY = {
    "cli": "typer",
    "opensearch": "opensearch-py",
    "elasticsearch": "elasticsearch",
    "embedded": "tantivy",
    "sidecar": "onnxruntime",
    "eval": "ir-measures",
    "tune": "optuna",
    "engines": "jgo",
    "ltr": "lightgbm",
    "otel": "opentelemetry-sdk",
    "openvino": "openvino",
    "pyserini": "pyserini",
    "quantize": "onnx",
    "train": "torch",
}
"""Extra → the package whose version represents it."""

out = Console(highlight=False)


def python() -> Finding:
    """Returns the finding about the interpreter."""
    return Finding("python", "ok", f"{platform.python_version()} on {platform.machine()}")


def packages() -> list[Finding]:
    """Returns a finding for each extra: installed, or the line that installs it."""
    return [_extra(extra, package) for extra, package in TOLD_BY.items()]


def _extra(extra: str, package: str) -> Finding:
    is_whole = not missing(extra)
    try:
        told = f"{package} {version(package)}" + ("" if is_whole else ", but not every package of this extra")
    except PackageNotFoundError:
        told = "installed" if is_whole else f"{package} is not installed"
    return Finding(f"extra {extra}", "ok" if is_whole else "note", told, "" if is_whole else install_line(extra))


def jdk() -> Finding:
    """Returns the finding about the Java for `hybridrank engine start`."""
    try:
        jdk = find_jdk()
    except LocalEngineError as error:
        return Finding("jdk", "note", str(error), "needed only by `hybridrank engine start`")
    return Finding("jdk", "ok", f"{jdk.version} at {jdk.home}")


async def services(engine: str, sidecar: str, sidecar_http: str, index: str) -> list[Finding]:
    """Returns findings about the sidecar, its models, the engine, and a search of the index."""
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(open_sidecar(sidecar))
            models = await client.models()
        except (ConnectorError, MissingExtra, RuntimeError) as error:
            advice = install_line("sidecar") if isinstance(error, MissingExtra) else "start one with `hybridrank serve`"
            findings = [Finding("sidecar", "problem", str(error), advice)]
            return [*await _engine(engine, None, (), sidecar_http, index), *findings]
        findings = [
            Finding(
                f"model {each.name}:{each.version}",
                "ok",
                f"{each.kind}, {each.precision}, {', '.join(each.aliases)}",
                "not asked: /readyz of the sidecar lists it while it is down" if each.precision == "remote" else "",
            )
            for each in models
        ]
        return [*await _engine(engine, client, models, sidecar_http, index), *findings]


async def _engine(
    address: str, client: SidecarClient | None, models: Sequence[ModelInfo], sidecar_http: str, index: str
) -> list[Finding]:
    if not address:
        return [Finding("engine", "note", "none given", "--engine ADDRESS")]
    try:
        engine = await open_engine(address)
        try:
            checked = await check_index(engine, client, models, index) if index else []
            there = not any(each.subject == f"index {index}" and each.state == "problem" for each in checked)
            pipelines = await _pipelines(engine, sidecar_http, index if there else "")
            return [await _capabilities(engine), *checked, *pipelines]
        finally:
            await engine.close()
    except ConnectorError as error:
        return [Finding("engine", "problem", str(error), "check the address, and that the engine runs")]


async def _capabilities(engine: Engine) -> Finding:
    info = await engine.info()
    subject, detail = f"engine {info.name}", f"{info.version}, {', '.join(sorted(info.capabilities)) or 'plain'}"
    if lacking := [each for each in probes() if each not in info.capabilities and "rest" in engine.apis]:
        return Finding(
            subject,
            "note",
            f"{detail}; no analysis here for {', '.join(lacking)}",
            "terms are not stemmed; install the server's analysis module for stems and stop words",
        )
    return Finding(subject, "ok", detail)


async def _pipelines(engine: Engine, sidecar_http: str, index: str) -> list[Finding]:
    """Checks the search pipelines of a cluster that has models of a sidecar, or should have."""
    if "ml_commons" not in engine.apis:
        return []
    cluster = rest_api(engine)
    try:
        with reading(cluster.url):
            facts = await gather(cluster.request, sidecar_http, index)
    except EngineError as error:  # a user with access to an index may have none to the cluster
        return [Finding("pipelines", "problem" if sidecar_http else "note", str(error), "ask as an administrator")]
    return list(opensearch_findings(facts, sidecar_http)) if facts.remotes or sidecar_http else []
