"""Every error has a row in the table, and no message on the wire is empty."""

import grpc

from sidecar import errors
from sidecar.transport.status import GRPC_CODES, grpc_code, trailing_metadata


def test_every_error_class_has_a_code():
    classes = {getattr(errors, name) for name in errors.__all__} - {errors.SidecarError}
    assert classes == set(GRPC_CODES)
    assert grpc.StatusCode.OK not in GRPC_CODES.values()
    assert grpc.StatusCode.UNKNOWN not in GRPC_CODES.values()


def test_an_overloaded_sidecar_says_when_to_come_back():
    error = errors.Overloaded(tokens=10, queued_tokens=95, max_queue_tokens=100, retry_after_s=3)
    assert grpc_code(error) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert trailing_metadata(error) == (("retry-after", "3"),)
    assert "retry in 3 s" in str(error)


def test_other_errors_add_nothing():
    assert trailing_metadata(errors.Draining()) == ()
