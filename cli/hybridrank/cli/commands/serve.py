"""`hybridrank serve`: the sidecar in the foreground, until SIGTERM or Ctrl-C; its flags are the sidecar's settings."""

import typer

from hybridrank.common.extras import require

__all__ = ["serve"]

NEEDS = ("sidecar",)
# All arguments after `serve` go to the sidecar, --help too.
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def serve(context: typer.Context) -> None:
    """Encode texts and score passages, beside a search engine; `hybridrank serve --help` lists the settings."""
    if not {"--help", "-h"} & set(context.args):
        require("hybridrank serve", *NEEDS)
    from hybridrank.sidecar.__main__ import main

    raise typer.Exit(main(context.args, program="hybridrank serve"))
