"""`hybridrank model list`: the models that sidecars have loaded."""

from hybridrank.cli.options.running_sidecars import RunningSidecars
from hybridrank.cli.options.shared import JsonOption

__all__ = ["list_"]


def list_(sidecar: RunningSidecars = "127.0.0.1:50051", as_json: JsonOption = False) -> None:
    """List what is loaded.

    Example: hybridrank model list --sidecar search-1:50051,search-2:50051
    """
    from hybridrank.cli.actions.model_control import each_sidecar

    each_sidecar(sidecar, lambda client: client.models(), "serves", as_json=as_json)
