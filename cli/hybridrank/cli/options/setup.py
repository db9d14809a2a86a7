"""Options of `hybridrank setup`."""

from typing import Annotated

import typer

__all__ = [
    "EncoderOption",
    "PlaintextApiKeyOption",
    "RerankerOption",
    "SidecarHttpOption",
    "UrlOption",
]

UrlOption = Annotated[
    str, typer.Option("--url", envvar="HYBRIDRANK_ENGINE", help="http(s)://[USER:PASSWORD@]HOST:PORT.")
]
SidecarHttpOption = Annotated[
    str,
    typer.Option("--sidecar", help="http(s)://HOST:PORT of the sidecar's HTTP face, as the cluster's nodes reach it."),
]
RerankerOption = Annotated[str, typer.Option(help="The sidecar's model that scores passages.")]
EncoderOption = Annotated[str, typer.Option(help="The sidecar's model that makes vectors.")]
PlaintextApiKeyOption = Annotated[
    bool,
    typer.Option("--plaintext-api-key", help="Let the key travel unencrypted, on a network that you trust."),
]
