"""The only table from our errors to what callers see: gRPC code, HTTP status, and the counted outcome."""

from dataclasses import dataclass
from typing import Literal

import grpc

from hybridrank.sidecar.errors import (
    BadScore,
    CallError,
    DeadlinePassed,
    DeadlineUnreachable,
    Draining,
    InternalError,
    InvalidArgument,
    ModelNotFound,
    ModelRefused,
    NotAllowed,
    Overloaded,
    RemoteFailed,
    TooLarge,
    Unauthenticated,
    UnknownField,
)

Outcome = Literal["ok", "partial", "refused", "expired", "cancelled", "failed", "invalid"]
Code = grpc.StatusCode


@dataclass(frozen=True)
class Status:
    """Status of an error in each protocol, and its counted outcome."""

    grpc: grpc.StatusCode
    http: int
    outcome: Outcome


STATUSES: dict[type[CallError], Status] = {
    InvalidArgument: Status(Code.INVALID_ARGUMENT, 400, "invalid"),
    UnknownField: Status(Code.INVALID_ARGUMENT, 422, "invalid"),
    ModelNotFound: Status(Code.NOT_FOUND, 404, "invalid"),
    NotAllowed: Status(Code.PERMISSION_DENIED, 403, "invalid"),
    TooLarge: Status(Code.RESOURCE_EXHAUSTED, 413, "invalid"),
    Unauthenticated: Status(Code.UNAUTHENTICATED, 401, "invalid"),
    Overloaded: Status(Code.RESOURCE_EXHAUSTED, 429, "refused"),
    # The status that its caller would have received later: no other sidecar and no retry has more time left.
    DeadlineUnreachable: Status(Code.DEADLINE_EXCEEDED, 504, "refused"),
    DeadlinePassed: Status(Code.DEADLINE_EXCEEDED, 504, "expired"),
    Draining: Status(Code.UNAVAILABLE, 503, "refused"),
    BadScore: Status(Code.INTERNAL, 500, "failed"),
    RemoteFailed: Status(Code.INTERNAL, 500, "failed"),
    ModelRefused: Status(Code.FAILED_PRECONDITION, 409, "invalid"),
    InternalError: Status(Code.INTERNAL, 500, "failed"),
}


def status(error: CallError) -> Status:
    """Returns the row of an error, by its class."""
    return STATUSES[type(error)]


def retry_after(error: CallError) -> tuple[tuple[str, str], ...]:
    """Returns the seconds after which to retry, under the name that both protocols use; empty for other errors."""
    return (("retry-after", str(error.retry_after_s)),) if isinstance(error, Overloaded) else ()
