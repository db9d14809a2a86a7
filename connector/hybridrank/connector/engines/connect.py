"""Connects to an engine by its address, whatever its kind."""

from importlib import import_module
from typing import Any

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.engines.rest.addresses import parse_address
from hybridrank.connector.errors import BadAddress

__all__ = ["connect_engine"]

_SCHEMES = {
    "embedded": "EmbeddedEngine",
}
"""Scheme of an address, NAME:PATH → the class in NAME/engine.py, which takes the PATH."""

_SERVERS = {
    "elasticsearch": "ElasticsearchEngine",
    "opensearch": "OpenSearchEngine",
}
"""Kind of server at an HTTP address → the class in NAME/engine.py, which takes the address and the options."""


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
    scheme, _, path = address.partition(":")
    if scheme in _SCHEMES:
        if not path:
            raise BadAddress(f"engine address '{scheme}:' names no folder; write {scheme}:PATH")
        return _engine(scheme, _SCHEMES[scheme], path)
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
    kind = await ask(Access.to(address, **how))
    return _engine(kind, _SERVERS[kind], address, **how)


def _engine(name: str, class_name: str, address: str, **how: Any) -> Engine:
    """Returns the engine of the folder `name`, which needs the extra of the same name."""
    try:
        module = import_module(f"hybridrank.connector.engines.{name}.engine")
    except ImportError as error:
        raise ImportError(f"{error}; the {name} engine needs: pip install 'hybridrank[{name}]'") from error
    engine: Engine = getattr(module, class_name)(address, **how)
    return engine
