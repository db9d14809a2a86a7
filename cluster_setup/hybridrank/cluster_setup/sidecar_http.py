"""Questions to the HTTP face of a sidecar: the length of its vectors, and its encoder."""

import json
import os
import socket
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from hybridrank.common.loopback import is_loopback
from hybridrank.index_templates import EncoderNote
from hybridrank.index_templates.ml_commons import EMBEDDINGS_PATH, HttpSidecar
from hybridrank.index_templates.ml_settings import is_private

__all__ = ["encoder_dimensions", "encoder_note", "looks_private"]


def looks_private(host: str) -> bool:
    """Returns True if the addresses of the name are private, as this machine sees them. Raises OSError.

    The nodes of the cluster may see another address.
    """
    return is_private({str(each[4][0]).partition("%")[0] for each in socket.getaddrinfo(host, None)})


def encoder_dimensions(sidecar: HttpSidecar, api_key: str) -> int:
    """Returns the length of the encoder's vectors. Raises OSError."""
    answer = _ask(sidecar, api_key, EMBEDDINGS_PATH, {"model": sidecar.encoder, "input": ["word"]})
    return len(answer["data"][0]["embedding"])


def encoder_note(sidecar: HttpSidecar, api_key: str) -> EncoderNote | None:
    """Returns the encoder as an index notes it; None if the sidecar cannot be reached from here."""
    try:
        answer = _ask(sidecar, api_key, f"/info?{urlencode({'model': sidecar.encoder})}")
    except OSError:
        return None
    return EncoderNote(str(answer["model_id"]), str(answer["model_sha"]))


def _ask(sidecar: HttpSidecar, api_key: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {api_key}"} if api_key else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{sidecar.url}{path}", data, headers)  # noqa: S310  http or https, checked
    context = ssl.create_default_context(cafile=os.environ.get("HYBRIDRANK_CLIENT_CA_CERTS"))
    direct = [urllib.request.ProxyHandler({})] if is_loopback(urlsplit(sidecar.url).hostname or "") else []
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), *direct)
    with opener.open(request, timeout=10) as answer:
        return json.load(answer)
