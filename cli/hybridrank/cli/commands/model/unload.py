"""`hybridrank model unload`: unloads a model while the sidecar serves."""

from typing import Annotated

import typer

from hybridrank.cli.options.running_sidecars import RunningSidecars
from hybridrank.cli.options.shared import JsonOption

__all__ = ["unload"]


def unload(
    model: Annotated[str, typer.Argument(help="A name, with all its versions, or name:version.")],
    sidecar: RunningSidecars = "127.0.0.1:50051",
    as_json: JsonOption = False,
) -> None:
    """Unload a model; the sidecar needs --model-control. Running calls end as usual.

    Example: hybridrank model unload cross-encoder:1 --sidecar search-1:50051
    """
    from hybridrank.cli.actions.model_control import each_sidecar

    each_sidecar(sidecar, lambda client: client.unload_model(model), "unloaded", as_json=as_json)
