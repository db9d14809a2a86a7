"""`hybridrank serve`: the sidecar in the foreground, until SIGTERM or Ctrl-C; its flags are the sidecar's settings."""

import typer

# Everything after `serve` is for the sidecar, --help too.
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def serve(context: typer.Context) -> None:
    """Encode texts and score passages, beside a search engine; `hybridrank serve --help` lists the settings."""
    from sidecar.__main__ import main  # loads ONNX Runtime, which no other command should wait for

    raise typer.Exit(main(context.args, program="hybridrank serve"))
