"""`hybridrank serve`: the sidecar in the foreground, until SIGTERM or Ctrl-C."""

import os
from typing import Annotated, Any

import typer


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. There is no TLS: keep it on a trusted network.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one, printed when ready.")] = None,
    models: Annotated[
        str | None,
        typer.Option(help=f"Model folders, or folders of them, separated by '{os.pathsep}'. Default: those that ship."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Batches computed at once, a core each; 0 takes every core we may use.")
    ] = None,
    max_batch_tokens: Annotated[int | None, typer.Option(help="Padded tokens a batch may hold (fp32 models).")] = None,
    max_queue_tokens: Annotated[
        int | None, typer.Option(help="Tokens that may wait; a request beyond is refused.")
    ] = None,
    drain_s: Annotated[
        float | None, typer.Option(help="Seconds that running calls get to finish after SIGTERM.")
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="One line a call on stderr: json or console.")] = None,
    exit_with_parent: Annotated[
        bool | None,
        typer.Option(help="Shut down when stdin closes, so that a child process never outlives its parent."),
    ] = None,
) -> None:
    """Encode texts and score passages over gRPC, beside a search engine.

    Every option can also be set by a variable, HYBRIDRANK_SIDECAR_PORT for --port. The first line on stdout is
    `hybridrank sidecar ready on HOST:PORT`.

    Examples:
        hybridrank serve

        hybridrank serve --port 0 --threads 4 --log-format console

        hybridrank serve --models ./my-model:./models
    """
    given: dict[str, Any] = {
        "host": host,
        "port": port,
        "models": models,
        "threads": threads,
        "max_batch_tokens": max_batch_tokens,
        "max_queue_tokens": max_queue_tokens,
        "drain_s": drain_s,
        "log_format": log_format,
        "exit_with_parent": exit_with_parent,
    }
    # Loads ONNX Runtime, which no other command should wait for.
    from sidecar.__main__ import run
    from sidecar.settings import load_settings

    try:
        settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    raise typer.Exit(run(settings))
