"""Connections of a command: an engine, and a sidecar that runs already or is started for the command."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import typer

from hybridrank.cli.startable import check_startable
from hybridrank.common.cache_folder import cache_folder
from hybridrank.common.encoders import same_encoder
from hybridrank.connector import ConnectorError, HybridSearch, SidecarClient, SidecarUnreachable, connect_engine
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.retrieval import FusedBy
from hybridrank.connector.sidecar_client.model_names import models_by_name
from hybridrank.index_templates import EncoderNote
from hybridrank.sidecar.child import sidecar_process

__all__ = [
    "default_engine",
    "encoders_of",
    "open_cluster",
    "open_engine",
    "open_search",
    "open_sidecar",
]

# Environment variables, because other users can read the options of a process. Not named HYBRIDRANK_SIDECAR_*: those
# are the settings of the server, which refuses unknown ones.
_ACCESS = {
    "HYBRIDRANK_CLIENT_CA_CERTS": "ca_certs",
    "HYBRIDRANK_CLIENT_CERT": "client_cert",
    "HYBRIDRANK_CLIENT_KEY": "client_key",
    "HYBRIDRANK_CLIENT_API_KEY": "api_key",
}
_PORT = "HYBRIDRANK_SIDECAR_PORT"  # the port of `hybridrank serve`
_DEFAULT_PORT = "50051"
_ENGINE_ACCESS = {"HYBRIDRANK_ENGINE_API_KEY": "api_key", "HYBRIDRANK_ENGINE_CA_CERTS": "ca_certs"}


def default_engine() -> str:
    """Returns the address of the embedded engine in the cache folder."""
    return f"embedded:{cache_folder() / 'indices'}"


async def open_engine(address: str) -> Engine:
    """Connects the engine at an address, with the access in HYBRIDRANK_ENGINE_* variables (docs/engines.md)."""
    return await connect_engine(address, **_from_environment(_ENGINE_ACCESS))


@asynccontextmanager
async def open_cluster(address: str, lack: str) -> AsyncIterator[Engine]:
    """Yields the engine of a cluster. Raises BadParameter for the embedded engine; `lack` says what it cannot do."""
    if not address or address.startswith("embedded:"):
        raise typer.BadParameter(f"{lack}; name a cluster", param_hint="--engine")
    engine = await open_engine(address)
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def open_sidecar(
    address: str,
    settings: dict[str, str] | None = None,
    *,
    needs: Collection[str] = ("encoder",),
    encoders: Collection[EncoderNote] = (),
    no_cache: bool = False,
    strict: bool = True,
) -> AsyncIterator[SidecarClient]:
    """Yields a client of the sidecar at `address`; with `no_cache`, no score comes from its cache.

    "auto" takes the sidecar on this machine's default port if it has the models of `needs` and its encoder is one of
    `encoders`. Otherwise it starts a sidecar with the shipped models and these `settings`, and stops it at the end.
    stderr says which. With `strict`, raises UnknownModel before the start if neither has a model. HYBRIDRANK_CLIENT_*
    variables give access to a running sidecar (docs/connector.md).
    """
    async with AsyncExitStack() as stack:
        access = _from_environment(_ACCESS)
        if address == "auto":
            address, why = await _running(needs, encoders)
            if address:
                print(f"sidecar: using the one on {address}", file=sys.stderr)
            else:
                if strict:
                    check_startable(needs, settings or {}, why)
                print(f"sidecar: {why}; starting one for this command", file=sys.stderr)
                process = sidecar_process(settings=settings)
                address, access = (await asyncio.to_thread(process.__enter__)).address, {}
                stack.push_async_callback(asyncio.to_thread, process.__exit__, None, None, None)
        yield await stack.enter_async_context(SidecarClient(address, **access, no_cache=no_cache))


@asynccontextmanager
async def open_search(
    engine: Engine,
    sidecar: str,
    fusion: FusedBy = "client",
    *,
    index: str,
    needs: Collection[str],
    strict: bool = True,
) -> AsyncIterator[tuple[HybridSearch, SidecarClient]]:
    """Yields a HybridSearch over both, and the client of the sidecar.

    Raises IndexMissing before it looks for a sidecar, and UnknownModel as `open_sidecar` does.
    """
    encoders = encoders_of(await engine.fields(index))
    async with open_sidecar(sidecar, needs=needs, encoders=encoders, strict=strict) as client:
        yield HybridSearch(engine, client, fusion=fusion), client


def encoders_of(fields: Fields | None) -> tuple[EncoderNote, ...]:
    """Returns the encoders that an index notes for its dense vectors; none if there is no index yet."""
    encoders = fields.dense_encoders if fields else {}
    return tuple(note for by_field in encoders.values() for note in by_field.values() if note)


async def _running(needs: Collection[str], encoders: Collection[EncoderNote]) -> tuple[str, str]:
    """Returns the address of the sidecar on the default port if it has these, else "" and the reason."""
    address = f"127.0.0.1:{os.environ.get(_PORT) or _DEFAULT_PORT}"
    try:
        async with SidecarClient(address, **_from_environment(_ACCESS)) as client:
            known = models_by_name(await client.models(timeout_s=2))
    except SidecarUnreachable:
        why = f"none on {address}"
    except (ConnectorError, OSError) as error:
        why = f"cannot use the one on {address} ({error})"
    else:
        lacking = [each for each in needs if each not in known]
        encoder = known.get("encoder")
        others = [each for each in encoders if encoder and not same_encoder(each, encoder.encoder)]
        if not lacking and not others:
            return address, ""
        lack = f"no {', '.join(lacking)}, but {', '.join(known)}" if lacking else f"another encoder than {others[0]}"
        why = f"the one on {address} has {lack}"
    return "", why


def _from_environment(names: Mapping[str, str]) -> dict[str, Any]:
    """Returns the settings of the environment, by the names of arguments."""
    return {argument: os.environ[name] for name, argument in names.items() if os.environ.get(name)}
