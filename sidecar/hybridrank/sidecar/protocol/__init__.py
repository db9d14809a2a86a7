"""The wire contract `hybridrank.v1`, all that a client sees of this package.

The stubs need grpcio and protobuf and nothing else. `codec` turns messages into the server's own types, for the server.
"""
