"""`python -m hybridrank.sidecar.health` checks a sidecar: exits with 0 if it serves, 1 if not. For containers."""

import argparse
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hybridrank.sidecar.app.settings import load_settings

TIMEOUT_S = 2.0
_NO_PROXY = (("grpc.enable_http_proxy", 0),)  # the sidecar of a container is checked from inside the container


def main() -> int:
    """Check once; without --address, the sidecar of this environment's settings."""
    parser = argparse.ArgumentParser(prog="python -m hybridrank.sidecar.health", description=main.__doc__)
    parser.add_argument("--address", help="HOST:PORT")
    parser.add_argument("--service", default="", help="hybridrank.v1.Reranker or a model's name; empty for the whole")
    arguments = parser.parse_args()
    address = arguments.address
    if address is None:
        settings = load_settings()
        if settings.tls_cert and settings.health_port is None:
            print("the port speaks TLS, which this command does not; set health_port", file=sys.stderr)
            return 1
        address = f"127.0.0.1:{settings.health_port or settings.port}"
    try:
        with grpc.insecure_channel(address, options=_NO_PROXY) as channel:
            request = health_pb2.HealthCheckRequest(service=arguments.service)
            status = health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT_S).status
    except grpc.RpcError as error:
        print(f"{address}: {error.code().name} {error.details()}", file=sys.stderr)
        return 1
    print(f"{address}: {health_pb2.HealthCheckResponse.ServingStatus.Name(status)}")
    return 0 if status == health_pb2.HealthCheckResponse.SERVING else 1


if __name__ == "__main__":
    sys.exit(main())
