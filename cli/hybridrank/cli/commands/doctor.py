"""`hybridrank doctor`: checks packages, sidecar, engine and index, with advice for each problem."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.shared import EngineOption, JsonOption, SidecarOption

__all__ = ["doctor"]

out = Console(highlight=False)


def doctor(
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    sidecar_http: Annotated[
        str, typer.Option(help="http(s)://HOST:PORT of the HTTP face, as OpenSearch's nodes reach it.")
    ] = "",
    index: Annotated[
        str, typer.Option(help="An index or alias to check with a search; with --sidecar-http, its pipelines too.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Check everything that a search needs. Exit code 1 when something is broken.

    For OpenSearch with ml-commons, also checks its own pipelines: each model that calls a sidecar is tried.

    Examples:
    hybridrank doctor
    hybridrank doctor --engine https://admin:secret@localhost:9200 --sidecar localhost:50051 --index docs
    hybridrank doctor --engine http://localhost:9200 --sidecar-http http://localhost:8080 --index docs
    """
    from rich.markup import escape

    from hybridrank.cli.actions.doctor import jdk, packages, python, services

    reached = asyncio.run(services(engine, sidecar, sidecar_http.rstrip("/"), index))
    findings = [python(), *packages(), jdk(), *reached]
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
