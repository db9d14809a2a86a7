"""A call over any protocol: the headers that we read."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

REQUEST_ID = "x-request-id"
ACCEPTED_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
TRACE_CONTEXT = ("traceparent", "tracestate")  # W3C Trace Context

Wire = Literal["grpc", "http"]


@dataclass(frozen=True)
class Call:
    """A call with data for counting (wire, method), logging (path, request_id) and tracing (trace_context)."""

    wire: Wire
    method: str
    path: str
    request_id: str
    trace_context: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, wire: Wire, method: str, path: str, headers: Mapping[str, str | bytes]) -> "Call":
        """Builds a call with the id and the trace from the headers; `headers` has lower-case names."""
        trace_context = {name: value for name in TRACE_CONTEXT if isinstance(value := headers.get(name), str)}
        return cls(wire, method, path, request_id(headers.get(REQUEST_ID)), trace_context)


def request_id(wanted: str | bytes | None) -> str:
    """Returns the caller's own id if it is safe for a log line, otherwise a new one."""
    if isinstance(wanted, str) and ACCEPTED_REQUEST_ID.fullmatch(wanted):
        return wanted
    return uuid.uuid4().hex
