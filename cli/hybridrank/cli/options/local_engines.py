"""Options of `hybridrank engine`."""

from enum import Enum
from typing import Annotated

import typer

__all__ = ["Server", "ServerArgument"]


class Server(str, Enum):
    """The servers that can be run here."""

    opensearch = "opensearch"
    elasticsearch = "elasticsearch"


ServerArgument = Annotated[Server, typer.Argument(help="Which server.", show_default=False)]
