"""A collector of traces: a real gRPC server that keeps every byte that it is sent."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Receiver(grpc.GenericRpcHandler):
    """Received messages, their metadata, and the spans in them."""

    def __init__(self):
        self.url = ""
        self.paths: set[str] = set()
        self.messages: list[bytes] = []
        self.metadata: list[dict[str, str]] = []
        self.came = threading.Event()

    def service(self, details):
        self.paths.add(details.method)
        return grpc.unary_unary_rpc_method_handler(self._export) if details.method == EXPORT else None

    def _export(self, message: bytes, context) -> bytes:
        self.messages.append(message)
        self.metadata.append(dict(context.invocation_metadata()))
        self.came.set()
        return ExportTraceServiceResponse().SerializeToString()

    @property
    def resources(self):
        requests = map(ExportTraceServiceRequest.FromString, self.messages)
        return [resource for request in requests for resource in request.resource_spans]

    @property
    def spans(self) -> list[Span]:
        return [span for resource in self.resources for scope in resource.scope_spans for span in scope.spans]

    @property
    def scopes(self) -> set[str]:
        return {scope.scope.name for resource in self.resources for scope in resource.scope_spans}

    def below(self, span_id: bytes) -> list[Span]:
        """By the time of their beginning."""
        found = [span for span in self.spans if span.parent_span_id == span_id]
        return sorted(found, key=lambda span: span.start_time_unix_nano)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on a free port until the block ends."""
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(2), handlers=(receiver,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    receiver.url = f"http://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        server.stop(None).wait()


def attributes(holder) -> dict[str, str | int]:
    """Of a span or a resource."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in holder.attributes}
