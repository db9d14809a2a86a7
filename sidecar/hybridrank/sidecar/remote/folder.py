"""Reads the folder of a model that is served elsewhere: its model.toml, its API and the operator's endpoint."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import read_toml
from hybridrank.sidecar.endpoints import Endpoint, read_endpoints
from hybridrank.sidecar.remote.api import Api
from hybridrank.sidecar.remote.apis import APIS
from hybridrank.sidecar.remote.remote_toml import RemoteToml

__all__ = ["remote_folder", "remote_info"]

Toml = TypeVar("Toml", bound=RemoteToml)


def remote_folder(path: Path, kind: type[Toml], endpoints: Path | None) -> tuple[Toml, Api, Callable[[], Endpoint]]:
    """Returns the model.toml, its API, and a function that reads the endpoint, as it is in the file at that time.

    Raises BadModelFolder, as the function does, also for a folder that holds what only local models have.
    """
    toml = read_toml(path, kind)
    for name in ("selftest.json", "model.onnx", "tokenizer.json"):
        if (path / name).exists():
            raise BadModelFolder(path, f"{name} is for models that are computed here; a {toml.kind} has none")
    if toml.api not in APIS:
        raise BadModelFolder(path, f"model.toml: api is {toml.api!r}; it must be one of {', '.join(APIS)}")
    if toml.digest not in {"", toml.identity}:
        raise BadModelFolder(path, f"model.toml: its fields have digest {toml.identity}; correct or drop its digest")
    read = partial(_endpoint, path, toml.remote or toml.name, endpoints)
    _require_no_path(path, APIS[toml.api], read())
    return toml, APIS[toml.api], read


def _endpoint(path: Path, remote: str, endpoints: Path | None) -> Endpoint:
    try:
        known = read_endpoints(endpoints) if endpoints else {}
    except ValueError as error:
        raise BadModelFolder(path, str(error)) from error
    if remote not in known:
        where = f"add a table [{remote}] with its url to {endpoints}" if endpoints else "set remotes to a file of them"
        raise BadModelFolder(path, f"there is no address for the remote {remote!r}; {where}")
    return known[remote]


def _require_no_path(path: Path, api: Api, endpoint: Endpoint) -> None:
    """Raises BadModelFolder if the URL ends as the paths of the API begin, such as in /v1, as in other clients."""
    starts = {f"/{each.path.split('/')[1]}" for each in (api.rerank, api.embed) if each}
    for start in sorted(starts):
        if endpoint.url.endswith(start):
            problem = f"the url of its remote ends in {start}, which the API's paths begin with; leave it out there"
            raise BadModelFolder(path, problem)


def remote_info(toml: RemoteToml, **fields: object) -> ModelInfo:
    """Returns information about the model that callers may see."""
    return ModelInfo(
        name=toml.name,
        version=toml.version,
        kind=toml.kind,
        digest=toml.identity,
        precision="remote",
        max_tokens=toml.max_tokens,
        aliases=toml.aliases,
        **fields,  # type: ignore[arg-type]
    )
