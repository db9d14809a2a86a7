"""Whatever is sent over gRPC: a sane answer or a documented refusal, and the next call is served as ever."""

import itertools
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import httpx
import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.protocol import rerank_pb2_grpc
from tests.golden.sidecar import FOLDER, TINY_KINDS
from tests.sidecar.serving import rerank_request

Code = grpc.StatusCode
REFUSALS = {Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.FAILED_PRECONDITION}
IN_TIME_S = 60  # a call that has no answer by then hangs
METHODS = {
    "/hybridrank.v1.Reranker/Rerank": pb.RerankRequest,
    "/hybridrank.v1.Encoder/Encode": pb.EncodeRequest,
    "/hybridrank.v1.ModelRegistry/List": pb.ListModelsRequest,
    "/hybridrank.v1.ModelRegistry/Get": pb.GetModelRequest,
    "/hybridrank.v1.ModelRegistry/Load": pb.LoadModelRequest,
    "/hybridrank.v1.ModelRegistry/Unload": pb.UnloadModelRequest,
}


@dataclass(frozen=True)
class Sidecar:
    """A sidecar in a process of its own, which callers may tell to load and unload."""

    channel: grpc.Channel
    url: str

    def call(self, path: str, request: bytes, timeout: float = IN_TIME_S) -> bytes:
        return self.channel.unary_unary(path)(request, timeout=timeout)

    def is_well(self) -> None:
        """Nothing waits, nothing runs, and a plain call gets its scores."""
        for name in TINY_KINDS:
            rerank_pb2_grpc.ModelRegistryStub(self.channel).Load(pb.LoadModelRequest(path=name), timeout=IN_TIME_S)
        request = rerank_request("tiny-encoder", "what is a rank", "a rank", "a passage")
        assert len(rerank_pb2_grpc.RerankerStub(self.channel).Rerank(request, timeout=IN_TIME_S).results) == 2
        gives_up_at = time.monotonic() + IN_TIME_S
        idle = ("hybridrank_sidecar_queue_tokens 0.0", 'hybridrank_sidecar_running_requests{wire="grpc"} 0.0')
        while not all(line in (page := httpx.get(f"{self.url}/metrics").text) for line in idle):
            assert time.monotonic() < gives_up_at, page


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for name in TINY_KINDS:
        shutil.copytree(FOLDER / name, root / name)
    command = [sys.executable, "-m", "hybridrank.sidecar", "--port", "0", "--http-port", "0", "--models", str(root)]
    log = root / "log"
    with (
        log.open("w") as stderr,
        subprocess.Popen([*command, "--model-control"], stdout=subprocess.PIPE, stderr=stderr, text=True) as child,
    ):
        address = child.stdout.readline().split()[-1]
        url = child.stdout.readline().split()[-1]
        with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
            yield Sidecar(channel, url)
        child.terminate()
    assert child.returncode == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(autouse=True)
def well_before_and_after(sidecar):
    sidecar.is_well()
    yield
    sidecar.is_well()


uint32 = st.integers(0, 2**32 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
texts = (
    st.text()
    | st.text(st.characters(categories=["Cc", "Cf", "Co", "Mn"]))
    | st.builds(str.__mul__, st.sampled_from("a 7é\0中🐕\u0301"), st.integers(0, 20_000))
    | st.sampled_from(["", " ", "what is a rank", "a b c " * 3000])
)
models = st.sampled_from([*TINY_KINDS, "tiny-encoder:1", "tiny-encoder"]) | texts
options = st.builds(
    pb.RerankOptions,
    score_type=st.sampled_from([0, 1, 2]) | int32,
    min_score=st.none() | st.floats(),
    best_effort=st.booleans(),
    max_chunks_per_document=st.sampled_from([0, 1, 2]) | uint32,
    chunk_score=st.sampled_from([0, 1, 2]) | int32,
)
rerank_requests = st.builds(
    pb.RerankRequest,
    model=models,
    query=st.just("what is a rank") | texts,
    candidates=st.lists(st.builds(pb.Candidate, id=texts | st.just("same"), text=texts), max_size=6),
    top_k=st.sampled_from([0, 1, 3]) | uint32,
    options=st.none() | options,
)
encode_requests = st.builds(
    pb.EncodeRequest, model=models, texts=st.lists(texts, max_size=6), kind=st.sampled_from([0, 1]) | int32
)
paths = st.sampled_from([*TINY_KINDS, ".", "..", "/", "/dev/null", "tiny-encoder/model.onnx", "tiny-encoder\0"]) | texts
MESSAGES = {
    pb.RerankRequest: rerank_requests,
    pb.EncodeRequest: encode_requests,
    pb.ListModelsRequest: st.just(pb.ListModelsRequest()),
    pb.GetModelRequest: st.builds(pb.GetModelRequest, model=models),
    pb.LoadModelRequest: st.builds(pb.LoadModelRequest, path=paths),
    pb.UnloadModelRequest: st.builds(pb.UnloadModelRequest, model=models),
}


@st.composite
def mutated(draw: Callable, messages: st.SearchStrategy[Message]) -> bytes:
    """The bytes of a message, some of which were changed, left out, repeated or put in."""
    raw = bytearray(draw(messages).SerializeToString())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        raw[at : at + draw(st.integers(0, 8))] = draw(st.binary(max_size=8)) * draw(st.integers(1, 3))
    return bytes(raw)


def ranking_is_sane(request: pb.RerankRequest, reply: pb.RerankResponse) -> None:
    indices = [result.index for result in reply.results]
    scores = [result.relevance_score for result in reply.results]
    assert len(set(indices)) == len(indices) <= len(request.candidates)
    assert [request.candidates[index].id for index in indices] == [result.id for result in reply.results]
    assert all(map(math.isfinite, scores))
    assert scores == sorted(scores, reverse=True)
    for (one, score), (other, next_score) in itertools.pairwise(zip(indices, scores, strict=True)):
        assert score > next_score or one < other or request.options.score_type == pb.SCORE_TYPE_SIGMOID
    assert len(indices) <= (request.top_k or len(indices))
    if request.options.score_type == pb.SCORE_TYPE_SIGMOID:
        assert all(0 <= score <= 1 for score in scores)
    if request.options.HasField("min_score"):
        assert all(score >= request.options.min_score for score in scores)
    elif reply.complete:
        assert len(indices) == min(request.top_k or len(request.candidates), len(request.candidates))
    assert reply.complete or request.options.best_effort
    chunks = request.options.max_chunks_per_document
    assert all(result.best_chunk < result.scored_chunks <= (chunks or 4) <= 100 for result in reply.results)


def vectors_are_sane(request: pb.EncodeRequest, reply: pb.EncodeResponse) -> None:
    assert len(reply.embeddings) == len(request.texts)
    for embedding in reply.embeddings:
        assert len(embedding.vector) == reply.model.dimensions
        assert np.linalg.norm(embedding.vector) == pytest.approx(1, abs=1e-5)


def answer_is_sane(path: str, raw: bytes, reply: bytes) -> None:
    if path.endswith("/Rerank"):
        ranking_is_sane(pb.RerankRequest.FromString(raw), pb.RerankResponse.FromString(reply))
    elif path.endswith("/Encode"):
        vectors_are_sane(pb.EncodeRequest.FromString(raw), pb.EncodeResponse.FromString(reply))


def settle(sidecar: Sidecar, path: str, raw: bytes, timeout: float = IN_TIME_S, also: frozenset[Code] = frozenset()):
    """Send it, and look at what comes back."""
    reply, refused = None, None
    try:
        reply = sidecar.call(path, raw, timeout)
    except grpc.RpcError as error:
        refused = (error.code(), error.details())
    if refused:
        assert refused[0] in REFUSALS | also, refused
        assert refused[1]
    else:
        answer_is_sane(path, raw, reply)


fuzzed = settings(max_examples=40, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("path", METHODS)
@fuzzed
@given(data=st.data())
def test_a_message_of_any_content(sidecar, path, data):
    settle(sidecar, path, data.draw(MESSAGES[METHODS[path]]).SerializeToString())


@pytest.mark.parametrize("path", METHODS)
@fuzzed
@given(raw=st.binary(max_size=200))
def test_any_bytes(sidecar, path, raw):
    settle(sidecar, path, raw)


@pytest.mark.parametrize("path", METHODS)
@fuzzed
@given(data=st.data())
def test_a_message_with_some_bytes_changed(sidecar, path, data):
    settle(sidecar, path, data.draw(mutated(MESSAGES[METHODS[path]])))


@fuzzed
@given(request=rerank_requests, timeout=st.floats(0.001, 0.1))
def test_a_message_of_any_content_in_a_hurry(sidecar, request, timeout):
    hurried = frozenset({Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED})
    settle(sidecar, "/hybridrank.v1.Reranker/Rerank", request.SerializeToString(), timeout, hurried)


def test_bytes_that_are_no_message_are_refused(sidecar):
    with pytest.raises(grpc.RpcError) as refused:
        sidecar.call("/hybridrank.v1.Reranker/Rerank", b"\x0a\xff")
    assert refused.value.code() is Code.INVALID_ARGUMENT
    assert refused.value.details() == "request: is not the message of this method; see rerank.proto"


def test_a_threshold_that_is_no_number_is_refused(sidecar):
    request = rerank_request("tiny-encoder", "a", "b", options=pb.RerankOptions(min_score=math.nan))
    with pytest.raises(grpc.RpcError) as refused:
        rerank_pb2_grpc.RerankerStub(sidecar.channel).Rerank(request)
    assert refused.value.code() is Code.INVALID_ARGUMENT
    assert refused.value.details().startswith("options.min_score: ")


def test_a_query_without_tokens_is_refused_by_models_needing_one(sidecar):
    with pytest.raises(grpc.RpcError) as refused:
        rerank_pb2_grpc.RerankerStub(sidecar.channel).Rerank(rerank_request("tiny-encoder", "\u0301", "a"))
    assert refused.value.code() is Code.INVALID_ARGUMENT
    assert refused.value.details().startswith("query: ")


@pytest.mark.parametrize("path", ["0" * 300, "0/" * 5000, "\0"])
def test_a_path_that_no_file_system_takes_is_refused(sidecar, path):
    with pytest.raises(grpc.RpcError) as refused:
        rerank_pb2_grpc.ModelRegistryStub(sidecar.channel).Load(pb.LoadModelRequest(path=path))
    assert refused.value.code() is Code.INVALID_ARGUMENT
    assert refused.value.details().startswith("path: ")


@pytest.mark.parametrize("letter", "xé🐕")
def test_a_name_too_long_for_a_message_is_shortened_in_it(sidecar, letter):
    with pytest.raises(grpc.RpcError) as refused:
        rerank_pb2_grpc.ModelRegistryStub(sidecar.channel).Get(pb.GetModelRequest(model=letter * 20_000))
    assert refused.value.code() is Code.NOT_FOUND
    assert f"{letter} … {letter}" in refused.value.details()
    assert "tiny-encoder" in refused.value.details()
