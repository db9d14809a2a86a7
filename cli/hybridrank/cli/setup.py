"""`hybridrank setup`: what a cluster needs so that it asks a sidecar by itself, for callers that only speak to it."""

import json
import os
import socket
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import typer

from hybridrank.cluster_setup.opensearch_cluster import Cluster
from hybridrank.common.loopback import is_loopback
from hybridrank.index_templates import DEFAULT_BOOSTS, EncoderNote
from hybridrank.index_templates.ml_commons import EMBEDDINGS_PATH, RERANK_PATH, HttpSidecar
from hybridrank.index_templates.ml_settings import is_private, trusted_pattern, wanted_settings
from hybridrank.index_templates.setup_parts import RECORD
from hybridrank.index_templates.setup_plan import Part

__all__ = ["cluster_settings", "encoder_dimensions", "encoder_note", "looks_private"]


TEXT_FIELDS = tuple(DEFAULT_BOOSTS)


def cluster_settings(cluster: Cluster, sidecar: HttpSidecar, *, private: bool) -> list[Part]:
    """The settings that the cluster still needs to reach the sidecar, and the record of those before."""
    urls = [f"{sidecar.url}{path}" for path in (RERANK_PATH, EMBEDDINGS_PATH)]
    change, record = wanted_settings(
        urls,
        trusted_pattern(sidecar.url),
        private=private,
        settings=cluster.settings,
        record=cluster.record,
    )
    settings = [Part("cluster setting", name, {"value": value}) for name, value in change.items()]
    return [Part("record of settings", RECORD, record.body()), *settings] if settings else []


def looks_private(host: str) -> bool:
    """By looking the name up here; the nodes may see another address, hence --private and --public."""
    try:
        return is_private({str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(host, None)})
    except OSError as error:
        raise typer.BadParameter(
            f"{host} is not known on this machine ({error}): say --private or --public", param_hint="--sidecar"
        ) from error


def encoder_dimensions(sidecar: HttpSidecar, api_key: str) -> int:
    """As many numbers as the sidecar makes of a word."""
    try:
        found = _asked(sidecar, api_key, EMBEDDINGS_PATH, {"model": sidecar.encoder, "input": ["word"]})
    except OSError as error:
        raise typer.BadParameter(
            f"cannot ask {sidecar.url} from here for the length of its vectors ({error}): say --dimensions",
            param_hint="--index",
        ) from error
    return len(found["data"][0]["embedding"])


def encoder_note(sidecar: HttpSidecar, api_key: str) -> EncoderNote | None:
    """The encoder as an index notes it; None for a sidecar that cannot be asked from here."""
    try:
        found = _asked(sidecar, api_key, f"/info?{urlencode({'model': sidecar.encoder})}")
    except OSError:
        return None
    return EncoderNote(str(found["model_id"]), str(found["model_sha"]))


def _asked(sidecar: HttpSidecar, api_key: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {api_key}"} if api_key else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{sidecar.url}{path}", data, headers)  # noqa: S310  http or https, checked
    context = ssl.create_default_context(cafile=os.environ.get("HYBRIDRANK_CLIENT_CA_CERTS"))
    direct = [urllib.request.ProxyHandler({})] if is_loopback(urlsplit(sidecar.url).hostname or "") else []
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), *direct)
    with opener.open(request, timeout=10) as answer:
        return json.load(answer)
