"""The service, without a wire: every candidate scored, best first, refused when something is not right."""

import math

import numpy as np
import pytest

from hybridrank.model_files.calibration import sigmoid
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.errors import BadScore, InvalidArgument, ModelNotFound
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.rerankers.token_overlap import TokenOverlapReranker
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.types import ChunkScore, EncodeRequest, RerankPassage, RerankRequest, ScoreType, TextKind
from tests.sidecar.doubles import BrokenModel, ConfidentReranker, loaded


@pytest.fixture
def service(tiny):
    worker = Worker(threads=2, max_queue_tokens=10_000)
    rerankers = (TokenOverlapReranker(), ConfidentReranker(), BrokenModel())
    models = Models([*(loaded(reranker) for reranker in rerankers), tiny.get("tiny-encoder")])
    yield RerankService(models, worker, max_batch_tokens=64)
    worker.close()


def request(*texts, query="red green blue pink", **fields):
    passages = tuple(RerankPassage(f"id{index % 2}", text) for index, text in enumerate(texts))
    return RerankRequest(fields.pop("model", "token-overlap"), query, passages, **fields)


async def test_best_first_and_equal_scores_in_the_order_of_the_request(service):
    result = await service.rerank(request("red", "red green", "blue", "none", "green"))
    found = [(score.index, score.passage_id, score.relevance_score) for score in result.scores]
    assert found == [(1, "id1", 0.5), (0, "id0", 0.25), (2, "id0", 0.25), (4, "id0", 0.25), (3, "id1", 0.0)]
    assert result.model.name == "token-overlap"


async def test_a_hundred_equal_scores_keep_the_order_of_the_request(service):
    result = await service.rerank(request(*["red", "none"] * 50))
    assert [score.index for score in result.scores] == [*range(0, 100, 2), *range(1, 100, 2)]


async def test_scores_that_a_sigmoid_rounds_to_one_keep_their_order(service):
    passages = ("red", "red green", "red green blue")
    result = await service.rerank(request(*passages, model="confident", score_type=ScoreType.SIGMOID))
    assert [score.relevance_score for score in result.scores] == [1.0, 1.0, 1.0]
    assert [score.index for score in result.scores] == [2, 1, 0]


async def test_top_k_trims_and_zero_does_not(service):
    texts = ("red", "red green", "blue")
    assert [score.index for score in (await service.rerank(request(*texts, top_k=2))).scores] == [1, 0]
    assert len((await service.rerank(request(*texts, top_k=0))).scores) == 3
    assert len((await service.rerank(request(*texts, top_k=99))).scores) == 3


async def test_min_score_is_compared_with_the_score_as_returned(service):
    raw = await service.rerank(request("red", "none", min_score=0.25))
    assert [score.index for score in raw.scores] == [0]
    as_sigmoid = await service.rerank(request("red", "none", min_score=0.5, score_type=ScoreType.SIGMOID))
    assert [score.index for score in as_sigmoid.scores] == [0, 1]


async def test_sigmoid_scores(service):
    result = await service.rerank(request("red green", score_type=ScoreType.SIGMOID))
    assert result.scores[0].relevance_score == pytest.approx(1 / (1 + math.exp(-0.5)))


def test_sigmoid_does_not_overflow():
    assert sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist() == [0.0, 0.5, 1.0]


async def test_nothing_in_nothing_out(service):
    assert (await service.rerank(request())).scores == ()
    assert (await service.encode(EncodeRequest("tiny-encoder", ()))).embeddings == ()


@pytest.mark.parametrize("query", ["", " \n\t"])
async def test_an_empty_query_is_refused(service, query):
    with pytest.raises(InvalidArgument, match="query: is empty") as refused:
        await service.rerank(request("red", query=query))
    assert refused.value.field == "query"


async def test_an_unknown_model_is_refused_even_without_passages(service):
    with pytest.raises(ModelNotFound):
        await service.rerank(request(model="unknown"))


async def test_nan_is_refused_and_says_for_which_passage(service):
    with pytest.raises(BadScore, match=r"model broken .* candidates\[1\]"):
        await service.rerank(request("red green", "lone", model="broken"))
    with pytest.raises(BadScore, match=r"texts\[0\]"):
        await service.encode(EncodeRequest("broken", ("two words",)))


async def test_vectors_come_in_the_order_of_the_texts(service, tiny):
    texts = ("rank " * 60, "", "what is the query")
    result = await service.encode(EncodeRequest("tiny-encoder", texts, TextKind.DOCUMENT))
    encoder = tiny.encoder("tiny-encoder")
    for text, embedding in zip(texts, result.embeddings, strict=True):
        (vector,) = encoder.embed(encoder.tokenize_texts([text], TextKind.DOCUMENT))
        np.testing.assert_allclose(embedding.vector, vector, atol=1e-5)
    assert [embedding.truncated for embedding in result.embeddings] == [True, False, False]


async def test_an_empty_query_is_refused_but_a_document_may_be_empty(service):
    with pytest.raises(InvalidArgument, match=r"texts\[1\]: is empty"):
        await service.encode(EncodeRequest("tiny-encoder", ("what", "")))


@pytest.mark.parametrize(
    ("chunk_score", "expected"),
    [(ChunkScore.MAX, 2 / 4), (ChunkScore.FIRST, 1 / 4), (ChunkScore.MEAN, (1 + 2) / 2 / 4)],
)
async def test_the_scores_of_two_windows_make_one(service, chunk_score, expected):
    long = "red " + "none " * 600 + "green blue"  # windows of 512 words: "red none …" and "none … green blue"
    asked = request(long, "red", max_chunks_per_document=2, chunk_score=chunk_score)
    by_index = {score.index: score for score in (await service.rerank(asked)).scores}
    assert by_index[0].relevance_score == expected
    assert by_index[1].relevance_score == 1 / 4
    assert by_index[0].best_chunk == (None if chunk_score is ChunkScore.FIRST else 1)


async def test_the_parts_of_the_time_are_reported(service):
    timings = (await service.rerank(request("red", "green"))).timings
    assert timings.tokenize_ms > 0
    assert timings.queue_ms >= 0
    assert timings.compute_ms > 0
