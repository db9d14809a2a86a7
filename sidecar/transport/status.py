"""The one table from our errors to what callers see: a gRPC status code for each class."""

import grpc

from sidecar.errors import (
    BadModelFolder,
    BadScore,
    DeadlinePassed,
    DeadlineUnreachable,
    Draining,
    InvalidArgument,
    ModelNotFound,
    Overloaded,
    SidecarError,
)

GRPC_CODES: dict[type[SidecarError], grpc.StatusCode] = {
    InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    ModelNotFound: grpc.StatusCode.NOT_FOUND,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    # What its caller would have been told anyway, only sooner: no other sidecar and no retry has more time left.
    DeadlineUnreachable: grpc.StatusCode.DEADLINE_EXCEEDED,
    DeadlinePassed: grpc.StatusCode.DEADLINE_EXCEEDED,
    Draining: grpc.StatusCode.UNAVAILABLE,
    BadScore: grpc.StatusCode.INTERNAL,
    BadModelFolder: grpc.StatusCode.INTERNAL,
}


def grpc_code(error: SidecarError) -> grpc.StatusCode:
    """The status of an error, by its class."""
    return GRPC_CODES[type(error)]


def trailing_metadata(error: SidecarError) -> tuple[tuple[str, str], ...]:
    """What a client may act upon, beside the message: when to come back."""
    return (("retry-after", str(error.retry_after_s)),) if isinstance(error, Overloaded) else ()
