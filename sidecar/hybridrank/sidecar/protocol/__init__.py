"""The protocol `hybridrank.v1`, the only part of this package that clients use.

The stubs need only grpcio and protobuf. `codec` converts messages to the server's own types, for the server.
"""
