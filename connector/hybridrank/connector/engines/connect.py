"""Connects to an engine by its address, whatever its kind."""

from importlib import import_module
from typing import Any

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.engines.rest.addresses import parse_address
from hybridrank.connector.errors import BadAddress

__all__ = ["connect_engine"]

_CLASSES = {
    "embedded": ("hybridrank.connector.engines.embedded.engine", "EmbeddedEngine"),
    "opensearch": ("hybridrank.connector.engines.opensearch.engine", "OpenSearchEngine"),
    "elasticsearch": ("hybridrank.connector.engines.elasticsearch.engine", "ElasticsearchEngine"),
}


async def connect_engine(
    address: str,
    *,
    api_key: str | None = None,
    ca_certs: str | None = None,
    verify_certs: bool = True,
    timeout_s: float = 10.0,
) -> Engine:
    """Returns the engine at `embedded:PATH`, `http(s)://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/PATH]` or Cloud id.

    Several hosts are nodes of one cluster: each replaces one that does not answer. A missing port is 80 or 443, as in
    any URL. User and password are percent-decoded; `api_key` is Elasticsearch's, encoded or `id:key`. Raises
    EngineUnreachable with the host and the cause, BadAddress for an address of another form, and ImportError with the
    install command if the engine's client is not installed.
    """
    if address.startswith("embedded:"):
        folder = address.removeprefix("embedded:")
        if not folder:
            raise BadAddress("engine address 'embedded:' names no folder; write embedded:PATH")
        embedded: Engine = _engine_class("embedded")(folder)
        return embedded
    parse_address(address)  # checked before any import that needs an extra
    try:
        from hybridrank.connector.engines.rest.http import Access
        from hybridrank.connector.engines.rest.probe import ask
    except ImportError as error:
        raise ImportError(
            f"{error}; an engine over HTTP needs: pip install 'hybridrank[opensearch]', or 'hybridrank[elasticsearch]'"
        ) from error
    how: dict[str, Any] = {
        "api_key": api_key,
        "ca_certs": ca_certs,
        "verify_certs": verify_certs,
        "timeout_s": timeout_s,
    }
    engine: Engine = _engine_class(await ask(Access.to(address, **how)))(address, **how)
    return engine


def _engine_class(kind: str) -> Any:
    module, name = _CLASSES[kind]
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        raise ImportError(f"{error}; the {kind} engine needs: pip install 'hybridrank[{kind}]'") from error
