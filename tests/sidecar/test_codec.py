"""Messages become the sidecar's types and back, field by field."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.common.model_info import FeatureSetInfo, ModelInfo
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.protocol import codec
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.types import (
    CallTimings,
    Embedding,
    EncodeRequest,
    EncodeResult,
    RelevanceScore,
    RerankPassage,
    RerankRequest,
    RerankResult,
    ScoreType,
    TextKind,
)

COLUMNS = FeatureSetInfo("columns", "3", "cd" * 32, ("bm25", "price"))
INFO = ModelInfo(
    *("name", "2", "encoder", "ab" * 32, "int8", 256, 384, ("one", "two"), COLUMNS, "cd" * 32, "ef" * 32),
    *("mean", "query: ", "passage: ", ("01" * 32,), ("de", "en"), 0.3),
)
TIMINGS = CallTimings(1.5, 0.25, 12.0)
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    texts, texts, st.lists(st.tuples(texts, texts)), st.integers(0, 2**32 - 1), st.none() | st.floats(allow_nan=False)
)
def test_a_rerank_request_arrives_as_it_was_sent(model, query, candidates, top_k, min_score):
    options = pb.RerankOptions(score_type=pb.SCORE_TYPE_SIGMOID, min_score=min_score)
    message = pb.RerankRequest(
        model=model,
        query=query,
        candidates=[pb.Candidate(id=passage_id, text=text) for passage_id, text in candidates],
        top_k=top_k,
        options=options,
    )
    passages = tuple(RerankPassage(passage_id, text) for passage_id, text in candidates)
    wanted = RerankRequest(model, query, passages, top_k, ScoreType.SIGMOID, min_score)
    assert codec.rerank_request(pb.RerankRequest.FromString(message.SerializeToString())) == wanted


def test_fields_that_were_not_sent_have_their_defaults():
    assert codec.rerank_request(pb.RerankRequest(model="m", query="q")) == RerankRequest("m", "q", ())
    assert codec.encode_request(pb.EncodeRequest(model="m")) == EncodeRequest("m", ())


def test_a_minimum_of_zero_is_not_the_same_as_none():
    message = pb.RerankRequest(options=pb.RerankOptions(min_score=0))
    assert codec.rerank_request(message).min_score == 0


def test_a_rerank_result_arrives_as_it_was_computed():
    first = RelevanceScore("a", 1, 0.1 + 0.2, truncated=True, contributions=(0.1, 0.2))
    scores = (first, RelevanceScore("a", 0, -5.0, truncated=False))
    message = codec.rerank_response(RerankResult(scores, INFO, TIMINGS))
    assert [
        RelevanceScore(r.id, r.index, r.relevance_score, r.truncated, contributions=tuple(r.contributions))
        for r in message.results
    ] == list(scores)
    assert message.complete
    assert message.model == codec.model(INFO)
    assert (message.timings.tokenize_ms, message.timings.queue_ms, message.timings.compute_ms) == (1.5, 0.25, 12.0)


def test_an_encode_request_and_its_result():
    message = pb.EncodeRequest(model="m", texts=["a", ""], kind=pb.TEXT_KIND_DOCUMENT)
    assert codec.encode_request(message) == EncodeRequest("m", ("a", ""), TextKind.DOCUMENT)
    response = codec.encode_response(EncodeResult((Embedding((0.5, -0.5), truncated=True),), INFO, TIMINGS))
    assert [(list(one.vector), one.truncated) for one in response.embeddings] == [([0.5, -0.5], True)]


def test_every_field_of_a_model_is_sent():
    message = codec.model(INFO)
    sent = {field.name: value for field, value in message.ListFields()}
    for name in (lists := ("aliases", "comparable_digests", "languages")):
        assert sent.pop(name) == list(getattr(INFO, name))
    features = sent.pop("feature_set")
    assert FeatureSetInfo(features.name, features.version, features.digest, tuple(features.features)) == COLUMNS
    others = {each.name for each in fields(INFO)} - {*lists, "feature_set"}
    assert sent == {name: getattr(INFO, name) for name in others}


def test_a_model_without_a_feature_set_says_so():
    assert not codec.model(replace(INFO, feature_set=None)).HasField("feature_set")


@given(st.lists(st.lists(st.floats(allow_nan=False), min_size=1)), st.text("0123456789abcdef"), st.booleans())
def test_features_arrive_as_they_were_sent(rows, digest, contributions):
    message = pb.RerankRequest(
        candidates=[pb.Candidate(features=row) for row in rows],
        options=pb.RerankOptions(contributions=contributions),
        feature_set_digest=digest,
    )
    request = codec.rerank_request(pb.RerankRequest.FromString(message.SerializeToString()))
    assert [list(passage.features) for passage in request.passages] == rows
    assert (request.feature_set_digest, request.contributions) == (digest, contributions)


def test_values_of_a_later_version_are_refused():
    with pytest.raises(InvalidArgument, match=r"options\.score_type: is 7; known are SCORE_TYPE_RAW \(0\)"):
        codec.rerank_request(pb.RerankRequest(options=pb.RerankOptions(score_type=7)))
    with pytest.raises(InvalidArgument, match="kind: is 7; known are TEXT_KIND_QUERY"):
        codec.encode_request(pb.EncodeRequest(kind=7))
    with pytest.raises(InvalidArgument, match="token_vectors: is 9; known are TOKEN_VECTORS_NONE"):
        codec.encode_request(pb.EncodeRequest(token_vectors=9))
