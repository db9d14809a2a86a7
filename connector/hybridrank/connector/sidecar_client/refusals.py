"""Maps a gRPC status to one of our errors, with what to do. Pure."""

import re

import grpc

from hybridrank.connector.errors import (
    InvalidRequest,
    ModelMissing,
    NotASidecar,
    SidecarError,
    SidecarFailed,
    SidecarOverloaded,
    SidecarRefused,
    SidecarTimeout,
    SidecarUnreachable,
    UnreadableText,
)
from hybridrank.connector.sidecar_client.access import Access

__all__ = ["sidecar_error"]

_ERRORS = {
    grpc.StatusCode.UNAVAILABLE: SidecarUnreachable,
    # Not cancelled by us, for which asyncio raises CancelledError: a server that shuts down cancels new calls.
    grpc.StatusCode.CANCELLED: SidecarUnreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: SidecarTimeout,
    grpc.StatusCode.RESOURCE_EXHAUSTED: SidecarOverloaded,
    grpc.StatusCode.INTERNAL: SidecarFailed,
    grpc.StatusCode.UNKNOWN: SidecarFailed,
    grpc.StatusCode.DATA_LOSS: SidecarFailed,
    grpc.StatusCode.UNAUTHENTICATED: SidecarRefused,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: ModelMissing,
    grpc.StatusCode.UNIMPLEMENTED: NotASidecar,
}
_TEXT_FIELD = re.compile(r"(query|texts\[\d+\]|candidates\[\d+\]\.text): ")
_MOST_SAID = 500  # characters of the server's text
_CA_CERTS = "ca_certs=, or HYBRIDRANK_CLIENT_CA_CERTS for the command line"
_TOO_LONG = "message larger than max"
_HANGS_UP = r"failing; .*(Socket closed|Connection reset)"
_ADVICE = (  # gRPC's text, whether we use TLS (None: either), what to do
    (_HANGS_UP, False, f"it hangs up at once; if it speaks TLS, name its authority: {_CA_CERTS}"),
    (
        _HANGS_UP,
        True,
        "it hangs up at once; if it verifies its callers, give client_cert= and client_key=, or"
        " HYBRIDRANK_CLIENT_CERT and HYBRIDRANK_CLIENT_KEY for the command line",
    ),
    (
        r"before receiving SETTINGS",
        None,
        "it accepts connections and says nothing; check the port",
    ),
    (r"WRONG_VERSION_NUMBER", True, "it does not speak TLS; leave out ca_certs, tls and client_cert"),
    (r"CERTIFICATE_VERIFY_FAILED", True, f"its certificate cannot be verified; name its authority: {_CA_CERTS}"),
    (
        r"http1\.x|parsing HTTP/2",
        None,
        "this port does not speak gRPC; the sidecar's HTTP face has a port of its own, gRPC is on 50051 unless set"
        " otherwise",
    ),
    (r"Connection refused", None, "nothing listens there; start a sidecar with `hybridrank serve`, or check the port"),
    (r"lookup failed", None, "check the name of the host"),
    (r"No such file", None, "there is no such socket; check the path, and that the sidecar runs"),
)
_BY_STATUS = {
    grpc.StatusCode.UNIMPLEMENTED: "what answers there is not a sidecar of hybridrank, or an older one",
}
_GONE = "it answered before and is gone now; see whether the sidecar still runs, and start it again"
_NO_KEY = "it asks for an API key: api_key=, or HYBRIDRANK_CLIENT_API_KEY for the command line"
_WRONG_KEY = "it does not accept this key; check api_key=, or HYBRIDRANK_CLIENT_API_KEY for the command line"


def sidecar_error(
    target: str, status: grpc.StatusCode, details: str, access: Access, *, answered: bool = False
) -> SidecarError:
    """Returns our error for a call that ended with `status`, with gRPC's text and what to do.

    `answered` is True if earlier calls had answers there, so that the connection settings are not the cause.
    """
    cause = re.sub(r"^.*last error: ([A-Z_]+: )?", "", details, flags=re.DOTALL)
    said = f"{status.name}: {cause[:_MOST_SAID]}"
    advice = _advice(status, details, access, answered=answered)
    found = _ERRORS.get(status, SidecarError)
    if _TOO_LONG in details:  # RESOURCE_EXHAUSTED too, but a later try would fail in the same way
        found = InvalidRequest
    if found is InvalidRequest and _TEXT_FIELD.match(details):  # these details begin with the wrong field
        found = UnreadableText
    return found(f"sidecar at {target}: {said}" + (f"; {advice}" if advice else ""))


def _advice(status: grpc.StatusCode, details: str, access: Access, *, answered: bool) -> str:
    if status is grpc.StatusCode.UNAUTHENTICATED:
        return _WRONG_KEY if access.api_key else _NO_KEY
    if status is grpc.StatusCode.UNAVAILABLE:
        for words, encrypted, advice in _ADVICE:
            if re.search(words, details) and encrypted in (None, access.encrypted):
                return _GONE if answered and words == _HANGS_UP else advice
    if _TOO_LONG in details:
        return "ask for fewer or shorter texts at once, or for no token vectors: a request or an answer has a limit"
    return _BY_STATUS.get(status, "")
