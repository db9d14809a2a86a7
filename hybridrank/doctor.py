"""`hybridrank doctor`: what is reachable, what it can do, and what to do about what is not."""

import asyncio
import json
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from connector import ConnectorError, connect_engine
from connector.engines.base import Engine
from connector.engines.rest import RestEngine
from hybridrank.findings import Finding
from hybridrank.opensearch_facts import gather
from hybridrank.opensearch_findings import findings as opensearch_findings
from hybridrank.options import EngineOption, JsonOption, SidecarOption
from hybridrank.session import open_sidecar
from index_templates.analysis import probes
from local_engines.errors import LocalEngineError
from local_engines.jdk import find_jdk

__all__ = ["doctor"]

_EXTRAS = {
    "opensearch": "opensearch-py",
    "elasticsearch": "elasticsearch",
    "embedded": "tantivy",
    "sidecar": "onnxruntime",
    "eval": "ir-measures",
    "engines": "jgo",
    "ltr": "lightgbm",
    "otel": "opentelemetry-sdk",
    "openvino": "openvino",
    "train": "torch",
}
_OPTIONAL = {"engines", "ltr", "openvino", "otel", "train"}

out = Console(highlight=False)


def doctor(
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    sidecar_http: Annotated[
        str, typer.Option(help="http(s)://HOST:PORT of the HTTP face, as OpenSearch's nodes reach it.")
    ] = "",
    index: Annotated[str, typer.Option(help="An index that OpenSearch's own pipelines search.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Look at everything a search needs. Exit code 1 when something is broken.

    Of an OpenSearch with ml-commons, the way of its own pipelines to a sidecar too: each model is tried.

    Examples:
    hybridrank doctor
    hybridrank doctor --engine https://admin:secret@localhost:9200 --sidecar localhost:50051
    hybridrank doctor --engine http://localhost:9200 --sidecar-http http://localhost:8080 --index docs
    """
    services = asyncio.run(_services(engine, sidecar, sidecar_http.rstrip("/"), index))
    findings = [_python(), *_packages(), _jdk(), *services]
    if as_json:
        print(json.dumps([asdict(each) for each in findings]))
    else:
        for each in findings:
            mark = {"ok": "[green]ok[/]     ", "note": "[yellow]note[/]   ", "problem": "[red]problem[/]"}[each.state]
            out.print(f"{mark} [bold]{escape(each.subject)}[/]: {escape(each.detail)}")
            if each.advice:
                out.print(f"        → {escape(each.advice)}")
    if any(each.state == "problem" for each in findings):
        raise typer.Exit(1)


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} on {platform.machine()}")


def _packages() -> list[Finding]:
    findings = []
    for extra, package in _EXTRAS.items():
        try:
            findings.append(Finding(f"extra {extra}", "ok", f"{package} {version(package)}"))
        except PackageNotFoundError:
            findings.append(
                Finding(f"extra {extra}", "note", f"{package} is not installed", f"pip install 'hybridrank[{extra}]'")
            )
    return findings


def _jdk() -> Finding:
    try:
        jdk = find_jdk()
    except LocalEngineError as error:
        return Finding("jdk", "note", str(error), "needed only by `hybridrank engine start`")
    return Finding("jdk", "ok", f"{jdk.version} at {jdk.home}")


async def _services(engine: str, sidecar: str, sidecar_http: str, index: str) -> list[Finding]:
    none = Finding("engine", "note", "none given", "--engine ADDRESS")
    findings = await _engine(engine, sidecar_http, index) if engine else [none]
    try:
        async with open_sidecar(sidecar) as client:
            models = await client.models()
    except (ConnectorError, RuntimeError) as error:
        findings.append(Finding("sidecar", "problem", str(error), "start one with `hybridrank serve`"))
    else:
        findings.extend(
            Finding(
                f"model {each.name}:{each.version}", "ok", f"{each.kind}, {each.precision}, {', '.join(each.aliases)}"
            )
            for each in models
        )
    return findings


async def _engine(address: str, sidecar_http: str, index: str) -> list[Finding]:
    try:
        engine = await connect_engine(address)
        try:
            return [await _capabilities(engine), *await _pipelines(engine, sidecar_http, index)]
        finally:
            await engine.close()
    except ConnectorError as error:
        return [Finding("engine", "problem", str(error), "check the address, and that the engine runs")]


async def _capabilities(engine: Engine) -> Finding:
    info = await engine.info()
    subject, detail = f"engine {info.name}", f"{info.version}, {', '.join(sorted(info.capabilities)) or 'plain'}"
    if missing := [each for each in probes() if each not in info.capabilities and info.name != "embedded"]:
        return Finding(
            subject,
            "note",
            f"{detail}; no analysis here for {', '.join(missing)}",
            "words are matched as they stand; install the server's analysis module for stems and stop words",
        )
    return Finding(subject, "ok", detail)


async def _pipelines(engine: Engine, sidecar_http: str, index: str) -> list[Finding]:
    """Where the cluster has models of a sidecar, or should have."""
    if not isinstance(engine, RestEngine) or engine.name != "opensearch":
        return []
    facts = await gather(engine.request, sidecar_http, index)
    return list(opensearch_findings(facts, sidecar_http)) if facts.remotes or sidecar_http or index else []
