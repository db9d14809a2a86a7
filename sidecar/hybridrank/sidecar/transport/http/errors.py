"""HTTP errors: each API's own shape around the same messages and statuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hybridrank.sidecar.errors import BadScore, CallError, InvalidArgument, ModelNotFound, Overloaded, UnknownField
from hybridrank.sidecar.transport.status import retry_after, status

# OpenSearch's ml-commons retries a refused call only if the answer has this header of Amazon, from any service:
# https://github.com/opensearch-project/ml-commons, MLSdkAsyncHttpResponseHandler.handleThrottlingInHeader.
_TRY_AGAIN = {"x-amzn-errortype": "ThrottlingException"}


def error_headers(error: CallError) -> dict[str, str]:
    """Returns the headers that clients act upon: when to retry, where that helps."""
    return dict(retry_after(error)) | (_TRY_AGAIN if isinstance(error, Overloaded) else {})


@contextmanager
def fields_named(names: dict[str, str]) -> Iterator[None]:
    """Renames fields in errors to the names of an API: `documents[1]` for `candidates[1]`."""

    def named(field: str) -> str:
        name, bracket, index = field.partition("[")
        return names.get(name, name) + bracket + index

    try:
        yield
    except UnknownField:
        raise  # its field is the caller's own
    except InvalidArgument as error:
        raise InvalidArgument(named(error.field), error.problem) from None
    except BadScore as error:
        raise BadScore(error.model, named(error.field)) from None


def rerank_error(error: CallError) -> dict[str, Any]:
    """Returns the error for Cohere (`message`), Jina and Voyage (`detail`)."""
    return {"message": str(error), "detail": str(error)}


def tei_error(error: CallError) -> dict[str, Any]:
    """Returns the error for text-embeddings-inference, with its error types."""
    kinds = {400: "Validation", 404: "Validation", 413: "Validation", 429: "Overloaded", 503: "Unhealthy"}
    return {"error": str(error), "error_type": kinds.get(status(error).http, "Backend")}


def openai_error(error: CallError) -> dict[str, Any]:
    """Returns the error for OpenAI; `param` is the field."""
    kinds = {401: "authentication_error", 429: "rate_limit_error"}
    code = status(error).http
    return {
        "error": {
            "message": str(error),
            "type": kinds.get(code, "invalid_request_error" if code < 500 else "server_error"),
            "param": error.field if isinstance(error, InvalidArgument) else None,
            "code": "model_not_found" if isinstance(error, ModelNotFound) else None,
        }
    }
