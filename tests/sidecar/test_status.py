"""Every error has a row in the table, and is told on both wires in the same words."""

import grpc
import pytest

from hybridrank.sidecar import errors
from hybridrank.sidecar.batching.worker import BatchTotals
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.scoring.row_cache import RowCache
from hybridrank.sidecar.transport.status import STATUSES, retry_after, status
from tests.sidecar.doubles import BrokenModel, loaded
from tests.sidecar.http_serving import serving_service

EXAMPLES = (
    errors.InvalidArgument("query", "is empty"),
    errors.UnknownField("topn", "did you mean top_n?"),
    errors.ModelNotFound("bert", ("encoder",)),
    errors.TooLarge(100),
    errors.Unauthenticated(),
    errors.Overloaded("the queue is full", retry_after_s=3),
    errors.DeadlineUnreachable(2.0, 0.3),
    errors.DeadlinePassed(3, 10),
    errors.NotAllowed("model_control"),
    errors.Draining(),
    errors.BadScore("m", "query"),
    errors.RemoteFailed("m", "failed there (500)"),
    errors.ModelRefused("folder: no model.toml here"),
    errors.InternalError("request-7"),
)


SHAPES = {
    "/v1/rerank": ({"query": "a", "documents": []}, lambda answer: answer["message"]),
    "/v2/rerank": ({"query": "a", "documents": []}, lambda answer: answer["detail"]),
    "/rerank": ({"query": "a", "texts": []}, lambda answer: answer["error"]),
    "/v1/embeddings": ({"input": []}, lambda answer: answer["error"]["message"]),
    "/v2/embed": ({"texts": []}, lambda answer: answer["message"]),
    "/embed": ({"inputs": []}, lambda answer: answer["error"]),
}


def test_every_error_class_has_a_row_and_an_example():
    classes = {getattr(errors, name) for name in errors.__all__} - {errors.CallError}
    assert classes == set(STATUSES) == {type(error) for error in EXAMPLES}
    for row in STATUSES.values():
        assert row.grpc not in {grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN}
        assert 400 <= row.http < 600
        assert row.outcome not in {"ok", "partial"}


class Refusing:
    """A service that always raises the same."""

    queued_tokens = 0
    batch_totals = BatchTotals()
    cache = RowCache(0)
    models = Models([loaded(BrokenModel())])

    def __init__(self, error):
        self._error = error

    async def rerank(self, request):
        raise self._error

    encode = rerank


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
async def test_every_error_is_told_on_both_wires(error):
    row = status(error)
    async with serving_service(Refusing(error)) as wires:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await wires.reranker.Rerank(pb.RerankRequest(model="broken", query="a"))
        assert (refusal.value.code(), refusal.value.details()) == (row.grpc, str(error))
        metadata = dict(refusal.value.trailing_metadata())
        for path, (body, message) in SHAPES.items():
            response = await wires.http.post(path, json=body)
            is_unknown = isinstance(error, errors.UnknownField) and path == "/v1/embeddings"
            assert (response.status_code, message(response.json())) == (400 if is_unknown else row.http, str(error))
            assert response.headers.get("retry-after") == metadata.get("retry-after")
            assert ("x-amzn-errortype" in response.headers) == isinstance(error, errors.Overloaded)
        assert await wires.metric("requests_total", wire="grpc", method="Rerank", outcome=row.outcome) == 1
        assert await wires.metric("requests_total", wire="http", method="Rerank", outcome=row.outcome) == 3
        assert await wires.metric("requests_total", wire="http", method="Encode", outcome=row.outcome) == 3


def test_only_an_overloaded_sidecar_says_when_to_come_back():
    told = {type(error): retry_after(error) for error in EXAMPLES}
    assert told.pop(errors.Overloaded) == (("retry-after", "3"),)
    assert set(told.values()) == {()}
