"""`hybridrank model list`, `load` and `unload`: what sidecars have loaded, and changing it while they serve."""

from collections.abc import Sequence
from typing import Annotated

import typer

from hybridrank.cli.options import JsonOption

__all__ = ["list_models", "load", "unload"]


Running = Annotated[
    str,
    typer.Option("--sidecar", envvar="HYBRIDRANK_SIDECAR", help="HOST:PORT; of several, separated by commas, each."),
]


def list_models(sidecar: Running = "127.0.0.1:50051", as_json: JsonOption = False) -> None:
    """List what is loaded.

    Example: hybridrank model list --sidecar search-1:50051,search-2:50051
    """
    from hybridrank.cli.model_control import each_sidecar

    each_sidecar(sidecar, lambda client: client.models(), "serves", as_json=as_json)


def load(
    path: Annotated[str, typer.Argument(help="A model folder on the sidecar's disk, below one of its setting models.")],
    sidecar: Running = "127.0.0.1:50051",
    as_json: JsonOption = False,
) -> None:
    """Load a folder and have the model's name lead to it; the sidecar needs --model-control.

    Example: hybridrank model load cross-encoder/2 --sidecar search-1:50051
    """
    from hybridrank.cli.model_control import each_sidecar
    from hybridrank.connector import SidecarClient
    from hybridrank.connector.sidecar_client.client import ModelInfo

    async def one(client: SidecarClient) -> Sequence[ModelInfo]:
        return [await client.load_model(path)]

    each_sidecar(sidecar, one, "loaded", as_json=as_json)


def unload(
    model: Annotated[str, typer.Argument(help="A name, with all its versions, or name:version.")],
    sidecar: Running = "127.0.0.1:50051",
    as_json: JsonOption = False,
) -> None:
    """Take a model out; the sidecar needs --model-control. Calls that run with it end as usual.

    Example: hybridrank model unload cross-encoder:1 --sidecar search-1:50051
    """
    from hybridrank.cli.model_control import each_sidecar

    each_sidecar(sidecar, lambda client: client.unload_model(model), "unloaded", as_json=as_json)
