"""What a command works with: an engine, and a sidecar that is there already or lives as long as the command."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from connector import HybridSearch, SidecarClient, connect_engine
from connector.engines.base import Engine
from connector.retrieval import FusedBy
from hybridrank.options import cache_folder
from hybridrank.sidecar_process import sidecar_process

__all__ = ["default_engine", "open_engine", "open_search", "open_sidecar"]

# Not options: what stands on a command line shows in the list of processes. Not HYBRIDRANK_SIDECAR_*: those are the
# server's own settings, and it refuses any that it does not know.
_ACCESS = {
    "HYBRIDRANK_CLIENT_CA_CERTS": "ca_certs",
    "HYBRIDRANK_CLIENT_CERT": "client_cert",
    "HYBRIDRANK_CLIENT_KEY": "client_key",
    "HYBRIDRANK_CLIENT_API_KEY": "api_key",
}
_ENGINE_ACCESS = {"HYBRIDRANK_ENGINE_API_KEY": "api_key", "HYBRIDRANK_ENGINE_CA_CERTS": "ca_certs"}


def default_engine() -> str:
    """The address of the embedded engine in the cache folder."""
    return f"embedded:{cache_folder() / 'indices'}"


async def open_engine(address: str) -> Engine:
    """The engine at an address, reached as HYBRIDRANK_ENGINE_* say (docs/engines.md)."""
    return await connect_engine(address, **_from_environment(_ENGINE_ACCESS))


@asynccontextmanager
async def open_sidecar(address: str, settings: dict[str, str] | None = None) -> AsyncIterator[SidecarClient]:
    """A client of the sidecar at `address`; "auto" starts one with the shipped models and stops it at the end.

    `settings` are for the one that is started. HYBRIDRANK_CLIENT_* variables say what a sidecar at an address wants of
    its callers (docs/connector.md).
    """
    async with AsyncExitStack() as stack:
        if address == "auto":
            process = sidecar_process(settings=settings)
            address = (await asyncio.to_thread(process.__enter__)).address
            stack.push_async_callback(asyncio.to_thread, process.__exit__, None, None, None)
            yield await stack.enter_async_context(SidecarClient(address))
        else:
            yield await stack.enter_async_context(SidecarClient(address, **_from_environment(_ACCESS)))


@asynccontextmanager
async def open_search(
    engine: Engine | str, sidecar: str, fusion: FusedBy = "client"
) -> AsyncIterator[tuple[HybridSearch, SidecarClient]]:
    """A HybridSearch over both, and the sidecar's client for encoding documents."""
    async with AsyncExitStack() as stack:
        if isinstance(engine, str):
            engine = await open_engine(engine or default_engine())
            stack.push_async_callback(engine.close)
        client = await stack.enter_async_context(open_sidecar(sidecar))
        yield HybridSearch(engine, client, fusion=fusion), client


def _from_environment(names: Mapping[str, str]) -> dict[str, Any]:
    """What the environment says, by the names of arguments."""
    return {argument: os.environ[name] for name, argument in names.items() if os.environ.get(name)}
