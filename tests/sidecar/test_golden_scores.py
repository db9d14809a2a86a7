"""Scores kept in files: those of plain transformers for tiny fp32 models, and the shipped int8 models' own."""

import json

import numpy as np
import pytest

from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.types import EncodeRequest, RerankPassage, RerankRequest, TextKind
from tests.golden.sidecar import ORACLE, SHIPPED, shipped_scores
from tests.golden.texts import PAIRS, PASSAGES, QUERY

SAME_AS_TRANSFORMERS = 1e-4
# int8 rounds differently by instruction set, and a value that falls to the other side of a step moves what follows.
# Logits of these pairs lie between -9 and 10, cosines between -0.1 and 1.
LOGIT_ON_ANOTHER_CPU = 0.75
COSINE_ON_ANOTHER_CPU = 0.03


@pytest.fixture(scope="module")
def oracle():
    return json.loads(ORACLE.read_text())


@pytest.fixture
def service(tiny):
    worker = Worker(threads=2, max_queue_tokens=100_000)
    yield RerankService(tiny, worker, max_batch_tokens=512)
    worker.close()


async def scores(service, model):
    """The scores of all pairs, each query's passages in one request."""
    found = {}
    for query in {query for query, _ in PAIRS}:
        passages = tuple(RerankPassage(text, text) for asked, text in PAIRS if asked == query)
        result = await service.rerank(RerankRequest(model, query, passages, max_chunks_per_document=1))
        found.update({(query, score.passage_id): score.relevance_score for score in result.scores})
    return [found[pair] for pair in PAIRS]


async def test_cross_encoder_scores_are_those_of_transformers(service, oracle):
    wanted = oracle["cross-encoder"]
    assert np.ptp(wanted) > 100 * SAME_AS_TRANSFORMERS  # or the comparison below would say little
    found = await scores(service, "tiny-cross-encoder")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=SAME_AS_TRANSFORMERS)


async def test_late_interaction_scores_equal_loops_over_transformers(service, oracle):
    wanted = oracle["late-interaction"]
    assert np.ptp(wanted) > 100 * SAME_AS_TRANSFORMERS
    found = await scores(service, "tiny-encoder")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=SAME_AS_TRANSFORMERS)


async def test_vectors_are_those_of_transformers(service, oracle):
    result = await service.encode(EncodeRequest("tiny-encoder", PASSAGES, TextKind.DOCUMENT))
    found = [embedding.vector for embedding in result.embeddings]
    np.testing.assert_allclose(found, oracle["dense"], rtol=0, atol=SAME_AS_TRANSFORMERS)


@pytest.mark.parametrize(
    ("scored", "tolerance"),
    [
        ("cross-encoder", LOGIT_ON_ANOTHER_CPU),
        ("nano", LOGIT_ON_ANOTHER_CPU),
        ("colbert", COSINE_ON_ANOTHER_CPU),
        ("cosines", COSINE_ON_ANOTHER_CPU),
    ],
)
def test_the_shipped_models_score_as_they_did(shipped, scored, tolerance):
    wanted = json.loads(SHIPPED.read_text())[scored]
    np.testing.assert_allclose(shipped_scores(shipped)[scored], wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("model", ["cross-encoder", "nano", "colbert"])
def test_the_shipped_models_put_an_answer_first(shipped, model):
    reranker = shipped.get(model).reranker
    answers = [1, 7]  # the two passages about ranks, words and queries
    scores = [float(reranker.score([pair])[0]) for pair in reranker.tokenize(QUERY, PASSAGES)]
    assert np.argmax(scores) in answers
