"""Lines of a file that a command left out, and what it says of them."""

from collections.abc import Sequence

from rich.console import Console

from hybridrank.common.counts import counted
from hybridrank.common.errors import BadLine

__all__ = ["tell_skipped"]

_SHOWN = 10


def tell_skipped(skipped: Sequence[BadLine], console: Console) -> None:
    """Print how many events were skipped, and the first of them with their lines."""
    if skipped:
        console.print(f"note: skipped {counted(len(skipped), 'event')} that cannot be used", markup=False)
    for line in skipped[:_SHOWN]:
        console.print(f"skipped: {line}", markup=False)
