"""Every error that the connector raises; as all errors of hybridrank, they are below `HybridrankError`.

ConnectorError
├── BadAddress         not the address of an engine or a sidecar; a ValueError too
├── BadAccess          certificates that cannot be used, or a key that would travel unencrypted; a ValueError too
├── EngineError        the engine refused (.status, .reason) or did not answer
│   ├── EngineUnreachable
│   ├── EngineTimeout
│   └── IndexMissing
├── SearchFailed       no retriever returned a ranking (.causes, by retriever)
├── Misconfigured      a strict search met configuration faults (.faults)
│   └── SidecarMissing the request needs a sidecar and there is none, strict or not; a ValueError too
└── SidecarError       the sidecar gave no vectors or no scores (.reason is a word for `degraded`)
    ├── SidecarUnreachable
    ├── SidecarTimeout
    ├── SidecarOverloaded
    ├── SidecarFailed  an error inside the sidecar
    ├── SidecarRefused the sidecar does not accept the API key
    ├── ModelMissing   no loaded model has that name; the message lists those loaded
    ├── InvalidRequest the sidecar cannot serve the request as it is
    │   └── UnreadableText  the model cannot read this query or passage; others work
    ├── NotASidecar    the server at that address does not know the call
    ├── CircuitOpen    not tried, after repeated failures
    └── BadScores      missing, unknown or NaN scores; no usable query vector

A search raises only EngineError, SearchFailed and Misconfigured: for any other sidecar failure, the caller gets a
ranking. `faults.py` separates configuration faults, which a strict search raises as Misconfigured, from operational
ones.
"""

from collections.abc import Iterable, Mapping, Sequence

from hybridrank.common.errors import HybridrankError
from hybridrank.connector.types import Degraded

__all__ = [
    "BadAccess",
    "BadAddress",
    "BadScores",
    "CircuitOpen",
    "ConnectorError",
    "EngineError",
    "EngineTimeout",
    "EngineUnreachable",
    "HybridrankError",
    "IndexMissing",
    "InvalidRequest",
    "Misconfigured",
    "ModelMissing",
    "NotASidecar",
    "SearchFailed",
    "SidecarError",
    "SidecarFailed",
    "SidecarMissing",
    "SidecarOverloaded",
    "SidecarRefused",
    "SidecarTimeout",
    "SidecarUnreachable",
    "UnreadableText",
]


def _told(faults: Iterable[tuple[str, str]]) -> str:
    """Lists each fault once, after all parts of the search that met it.

    >>> _told([("bm25", "no field"), ("knn", "no field"), ("rescore", "no model")])
    'bm25, knn: no field; rescore: no model'
    """
    parts: dict[str, list[str]] = {}
    for part, fault in faults:
        parts.setdefault(fault, []).append(part)
    return "; ".join(f"{', '.join(names)}: {fault}" for fault, names in parts.items())


class ConnectorError(HybridrankError):
    """Base class of every error of this package."""


class BadAddress(ConnectorError, ValueError):
    """The address has no known form."""


class BadAccess(ConnectorError, ValueError):
    """The certificates cannot be used, or the API key would be sent where others can read it."""


class EngineError(ConnectorError):
    """The engine refused a request; `reason` is its own word, `status` its HTTP status (0 if there is none)."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "engine_error") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class EngineUnreachable(EngineError):
    """No connection to the engine, or it refused our credentials or certificate."""


class EngineTimeout(EngineError):
    """The engine did not answer in time."""


class IndexMissing(EngineError):
    """There is no such index."""


class SearchFailed(ConnectorError):
    """No retriever returned a ranking; `causes` holds one error for each."""

    def __init__(self, causes: Mapping[str, EngineError]) -> None:
        super().__init__(_told((retriever, str(cause)) for retriever, cause in causes.items()))
        self.causes = dict(causes)


class Misconfigured(ConnectorError):
    """A strict search met faults that every such search meets; `faults` lists them."""

    def __init__(self, faults: Sequence[Degraded]) -> None:
        super().__init__(_told((each.stage, each.detail) for each in faults))
        self.faults = tuple(faults)


class SidecarMissing(Misconfigured, ValueError):
    """The request needs a sidecar, and HybridSearch was created without one."""

    def __init__(self, stage: str, detail: str) -> None:
        super().__init__([Degraded(stage, "sidecar_missing", detail, configuration=True)])


class SidecarError(ConnectorError):
    """The sidecar gave no usable answer; `SearchResponse.degraded` repeats `reason`."""

    reason = "sidecar_error"


class SidecarUnreachable(SidecarError):
    """Nothing listens there, or the connection broke during a call."""

    reason = "unreachable"


class SidecarTimeout(SidecarError):
    """The timeout of the stage passed."""

    reason = "timeout"


class SidecarOverloaded(SidecarError):
    """The sidecar's queue is full; it refuses at once instead of queuing more work."""

    reason = "overloaded"


class SidecarFailed(SidecarError):
    """An error inside the sidecar; its log has the details. Another sidecar may answer."""


class SidecarRefused(SidecarError):
    """The sidecar requires an API key, or another one."""

    reason = "refused"


class ModelMissing(SidecarError):
    """The sidecar has no model of that name; the message lists the loaded ones."""

    reason = "model_missing"


class InvalidRequest(SidecarError):
    """The sidecar cannot serve the request as it is, and says why; retrying will not help."""

    reason = "invalid"


class UnreadableText(InvalidRequest):
    """The model cannot read this query or passage; others work."""

    reason = "unreadable"


class NotASidecar(SidecarError):
    """A gRPC server listens there that does not know the call: another program, or an older sidecar."""

    reason = "unimplemented"


class CircuitOpen(SidecarError):
    """After repeated failures the stage was skipped at once, without another wait."""

    reason = "circuit_open"


class BadScores(SidecarError):
    """The reply had a missing or unknown candidate, or a score that is not a finite number."""

    reason = "bad_scores"
