"""`hybridrank model load`: loads a model folder while the sidecar serves."""

from collections.abc import Sequence
from typing import Annotated

import typer

from hybridrank.cli.options.running_sidecars import RunningSidecars
from hybridrank.cli.options.shared import JsonOption

__all__ = ["load"]


def load(
    path: Annotated[str, typer.Argument(help="A model folder on the sidecar's disk, below one of its setting models.")],
    sidecar: RunningSidecars = "127.0.0.1:50051",
    as_json: JsonOption = False,
) -> None:
    """Load a model folder and serve it under the model's name; the sidecar needs --model-control.

    Example: hybridrank model load cross-encoder/2 --sidecar search-1:50051
    """
    from hybridrank.cli.actions.model_control import each_sidecar
    from hybridrank.connector import SidecarClient
    from hybridrank.connector.sidecar_client.client import ModelInfo

    async def one(client: SidecarClient) -> Sequence[ModelInfo]:
        return [await client.load_model(path)]

    each_sidecar(sidecar, one, "loaded", as_json=as_json)
