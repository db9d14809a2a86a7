"""Output of `hybridrank engine`."""

from hybridrank.common.counts import counted
from hybridrank.local_engines.state import State

__all__ = ["described"]


def described(state: State) -> str:
    """Returns name, version and number of nodes."""
    count = counted(len(state.nodes), "node")
    return f"{state.name} {state.version} ({count}{', ml-commons' if state.ml_commons else ''})"
