"""Shows the steps of a plan and asks before they are carried out."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.markup import escape

from hybridrank.cluster_setup.sidecar_http import encoder_dimensions, looks_private
from hybridrank.index_templates.ml_commons import HttpSidecar
from hybridrank.index_templates.setup_plan import Step

__all__ = ["ask", "check_sidecar", "has_private_address", "out", "show", "vector_length"]

out = Console(highlight=False, soft_wrap=True)

_STYLES = {"create": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


def show(steps: Sequence[Step], *, as_json: bool) -> None:
    """Prints a line per step, and below it the changes."""
    if as_json:
        keys = ("action", "kind", "name", "changes")
        print(json.dumps([{key: asdict(step)[key] for key in keys} for step in steps]))
        return
    for step in steps:
        sign, colour = _STYLES[step.action]
        out.print(f"[{colour}]{sign}[/] {step.kind} [bold]{escape(step.name)}[/]")
        for line in step.changes if step.kind != "record of settings" else ():  # a record repeats the settings
            shown = line.replace("\n", "\\n")
            out.print(f"    [dim]{escape(shown)}[/]")


def ask(steps: Sequence[Step], *, yes: bool) -> None:
    """Asks for confirmation before cluster settings change or objects are removed; exits without a terminal."""
    settings = [step.name for step in steps if step.kind == "cluster setting"]
    removed = any(step.action == "remove" and step.kind != "deployment" for step in steps)
    if yes or not (settings or removed):
        return
    if not sys.stdin.isatty():
        typer.echo("error: this changes cluster settings, or removes; say --yes to have it done", err=True)
        raise typer.Exit(1)
    typer.confirm("Change these cluster settings?" if settings and not removed else "Remove these?", abort=True)


def check_sidecar(sidecar: str, api_key: str, *, plaintext: bool) -> None:
    """Raises BadParameter for a wrong address, and for an API key that would travel unencrypted."""
    parts = urlsplit(sidecar)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise typer.BadParameter("give the sidecar's HTTP face as http(s)://HOST:PORT", param_hint="--sidecar")
    if api_key and parts.scheme == "http" and not plaintext and not _is_loopback(parts.hostname):
        raise typer.BadParameter(
            f"the API key would travel unencrypted to {parts.hostname}: use https, or --plaintext-api-key",
            param_hint="--sidecar",
        )


def has_private_address(sidecar: HttpSidecar) -> bool:
    """Returns True if the sidecar's address is private, as this machine sees it. Raises BadParameter."""
    try:
        return looks_private(sidecar.host)
    except OSError as error:
        problem = f"{sidecar.host} is not known on this machine ({error}): say --private or --public"
        raise typer.BadParameter(problem, param_hint="--sidecar") from error


def vector_length(sidecar: HttpSidecar, api_key: str) -> int:
    """Returns the length of the encoder's vectors, as the sidecar reports it. Raises BadParameter."""
    try:
        return encoder_dimensions(sidecar, api_key)
    except OSError as error:
        problem = f"cannot ask {sidecar.url} from here for the length of its vectors ({error}): say --dimensions"
        raise typer.BadParameter(problem, param_hint="--index") from error


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")
