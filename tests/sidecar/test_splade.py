"""SPLADE models make the sparse vectors of sentence-transformers, bounded, over gRPC and HTTP."""

import hashlib
import json
import math
import shutil

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hybridrank.model_files import model_folder
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar import in_process
from hybridrank.sidecar.models import loading
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.rerankers.splade import LARGEST, QUERY_WEIGHTS, SMALLEST, _dot, heaviest
from hybridrank.sidecar.types import TextKind
from tests.contracts.reranker import RerankerContract
from tests.golden.splade import ORACLE, TINY
from tests.golden.texts import PASSAGES, QUERY
from tests.sidecar.http_serving import serving_both
from tests.sidecar.serving import rerank_request, serving

SAME = 1e-4
SPECIAL = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}


@pytest.fixture(scope="module")
def models():
    return loading.load([TINY])


class TestSpladeReranker(RerankerContract):
    @pytest.fixture
    def reranker(self, models):
        return models.get("tiny-splade").reranker


def changed(path, **fields):
    """A copy of the tiny model with other fields in its model.toml, without the golden pairs, which they change."""
    shutil.copytree(TINY, path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("selftest.json"))
    model_folder.write(path, model_folder.read(TINY).toml.model_copy(update=fields))
    return path


def by_token(sparse):
    return dict(zip(sparse.tokens, sparse.weights, strict=True))


def vectors(model, texts, kind=TextKind.DOCUMENT):
    encoder = model.sparse_encoder
    rows = [encoder.sparse_rows([each], kind)[0] for each in encoder.tokenize_texts(texts, kind)]
    return [by_token(encoder.sparse_vector(row)) for row in rows]


async def test_weights_over_grpc_are_those_of_its_library(models):
    wanted = json.loads(ORACLE.read_text())
    async with serving(models, score_cache_bytes=1 << 20) as client:
        for _ in range(2):  # the second time from the cache
            request = pb.EncodeRequest(model="tiny-splade", texts=[QUERY, *PASSAGES], kind=pb.TEXT_KIND_DOCUMENT)
            answer = await client.encoder.Encode(request)
            for found, expected in zip(answer.embeddings, wanted, strict=True):
                assert by_token(found.sparse) == pytest.approx(expected, abs=SAME)
                assert list(found.sparse.weights) == sorted(found.sparse.weights, reverse=True)
                assert not found.vector
        assert [each.truncated for each in answer.embeddings[-2:]] == [False, True]


async def test_a_score_is_the_dot_product_of_two_vectors(models):
    (query,), documents = vectors(models.get("tiny-splade"), [QUERY]), vectors(models.get("tiny-splade"), PASSAGES)
    wanted = [sum(weight * each.get(token, 0.0) for token, weight in query.items()) for each in documents]
    async with serving(models) as client:
        request = rerank_request("tiny-splade", QUERY, *PASSAGES)
        request.options.chunk_score = pb.CHUNK_SCORE_FIRST
        answer = await client.reranker.Rerank(request)
    found = {each.index: each.relevance_score for each in answer.results}
    assert [found[index] for index in range(len(PASSAGES))] == pytest.approx(wanted, abs=SAME)
    assert len({round(each, 3) for each in wanted}) > 4


@given(
    weights=arrays.arrays(np.float32, 40, elements=st.floats(-(2.0**99), 2.0**99, width=32)),
    own=arrays.arrays(np.bool_, 35),
    most=st.integers(1, 50),
)
def test_weights_are_bounded_and_the_heaviest_are_kept(weights, own, most):
    ids, kept = heaviest(weights, own, most)
    assert ((kept > 0) & (kept <= LARGEST)).all()
    assert (np.diff(kept) <= 0).all()
    possible = {place for place, each in enumerate(own) if each and weights[place] > SMALLEST}
    assert set(ids.astype(int).tolist()) <= possible
    assert len(ids) == min(most, len(possible))
    left_out = possible - set(ids.astype(int).tolist())
    assert all(min(weights[place], LARGEST) <= kept.min() for place in left_out)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_not_hidden(broken):
    """Not by the number of tokens that are kept, nor in a score of a passage that shares no token with the query."""
    row = heaviest(np.array([1.0, broken, 2.0], dtype=np.float32), np.array([True, True, True]), 1)
    assert not np.isfinite(row).all()
    assert math.isnan(_dot(np.array([[7.0], [1.0]], dtype=np.float32), row))


def test_the_folder_says_how_many_tokens_are_kept(tmp_path):
    model = in_process.load_model(changed(tmp_path, query_terms=3, document_terms=5))
    whole = in_process.load_model(TINY)
    for kind, most in ((TextKind.QUERY, 3), (TextKind.DOCUMENT, 5)):
        ((cut,), (full,)) = vectors(model, [QUERY], kind), vectors(whole, [QUERY], kind)
        assert cut == pytest.approx(dict(list(full.items())[:most]))


def test_a_query_takes_the_weights_of_its_own_tokens(tmp_path):
    whole = in_process.load_model(TINY)
    tokens = whole.sparse_encoder._vocabulary.tokens
    weights = np.linspace(0, 2, len(tokens), dtype=np.float32)
    np.save(tmp_path / QUERY_WEIGHTS, weights)
    digest = hashlib.sha256((tmp_path / QUERY_WEIGHTS).read_bytes()).hexdigest()
    model = in_process.load_untested(changed(tmp_path, query_weights=digest), "fp32")
    (query,) = vectors(model, ["the rank of the rank €"], TextKind.QUERY)
    assert query == pytest.approx({word: weights[tokens.index(word)] for word in ("the", "rank", "of")})
    assert vectors(model, PASSAGES) == vectors(whole, PASSAGES)
    (tmp_path / QUERY_WEIGHTS).write_bytes(b"")
    with pytest.raises(BadModelFolder, match=r"is not the one that model\.toml names"):
        in_process.load_untested(tmp_path, "fp32")
    digest = hashlib.sha256(b"").hexdigest()
    with pytest.raises(BadModelFolder, match=r"query_weights\.npy cannot be read"):
        in_process.load_untested(changed(tmp_path, query_weights=digest), "fp32")
    (tmp_path / QUERY_WEIGHTS).unlink()
    with pytest.raises(BadModelFolder, match=r"query_weights\.npy is missing"):
        in_process.load_untested(tmp_path, "fp32")


def with_query_weights(path, count):
    """A copy of the tiny model with this many weights of query tokens."""
    changed(path)
    np.save(path / QUERY_WEIGHTS, np.linspace(0, 2, count, dtype=np.float32))
    return changed(path, query_weights=hashlib.sha256((path / QUERY_WEIGHTS).read_bytes()).hexdigest())


@pytest.mark.parametrize("count", [92, 94, 0])
def test_weights_of_another_vocabulary_are_refused(tmp_path, count):
    with pytest.raises(BadModelFolder, match=rf"query_weights\.npy has {count} weights?, and the tokenizer 93 tokens"):
        in_process.load_untested(with_query_weights(tmp_path, count), "fp32")


async def test_queries_that_are_looked_up_are_not_the_models_speed(tmp_path):
    models = loading.load([with_query_weights(tmp_path / "tiny-splade", 93)])
    async with serving(models) as client:
        pace = client.service.worker.admissions.pace
        for kind, counts in ((pb.TEXT_KIND_QUERY, False), (pb.TEXT_KIND_DOCUMENT, True)):
            await client.encoder.Encode(pb.EncodeRequest(model="tiny-splade", texts=[QUERY], kind=kind))
            assert (pace.seconds("tiny-splade", 100) > 0) is counts


async def test_special_tokens_and_dense_vectors_are_not_there(models):
    async with serving(models) as client:
        request = pb.EncodeRequest(model="tiny-splade", texts=[*PASSAGES, ""], kind=pb.TEXT_KIND_DOCUMENT)
        answer = await client.encoder.Encode(request)
        assert not SPECIAL & {token for each in answer.embeddings for token in each.sparse.tokens}
        assert (answer.model.kind, answer.model.dimensions) == ("splade", 0)
        request.token_vectors = pb.TOKEN_VECTORS_FP32
        with pytest.raises(grpc.aio.AioRpcError, match="is a splade, which makes no token vectors"):
            await client.encoder.Encode(request)


async def test_the_http_face_answers_as_tei_does(models):
    wanted = vectors(models.get("tiny-splade"), PASSAGES[:2])
    queries = vectors(models.get("tiny-splade"), PASSAGES[:1], TextKind.QUERY)
    async with serving_both(models) as wires:
        answer = (await wires.http.post("/embed_sparse", json={"inputs": PASSAGES[:2]})).json()
        for row, expected in zip(answer, wanted, strict=True):
            assert {each["token"]: each["value"] for each in row} == pytest.approx(expected)
        query = {"inputs": PASSAGES[0], "prompt_name": "query", "model": "tiny-splade"}
        (row,) = (await wires.http.post("/embed_sparse", json=query)).json()
        assert {each["token"]: each["value"] for each in row} == pytest.approx(queries[0])
        tokens = models.get("tiny-splade").sparse_encoder._vocabulary.tokens
        assert all(tokens[each["index"]] == each["token"] for each in row)
        refused = await wires.http.post("/v1/embeddings", json={"input": "tea", "model": "tiny-splade"})
        assert (refused.status_code, "tiny-splade is a splade" in refused.text) == (400, True)


async def test_the_http_face_names_the_models_of_sparse_vectors(shipped):
    async with serving_both(shipped) as wires:
        answer = await wires.http.post("/embed_sparse", json={"inputs": "tea", "model": "encoder"})
        assert (answer.status_code, "makes no sparse vectors; these do: none" in answer.text) == (400, True)
        answer = await wires.http.post("/embed_sparse", json={"inputs": "tea"})
        assert answer.status_code == 400
        assert "a SPLADE model is not served; name the folder of one in HYBRIDRANK_SIDECAR_MODELS" in answer.text


async def test_the_http_face_says_that_no_encoder_is_served(models):
    async with serving_both(models) as wires:
        for path, body in (("/embed", {"inputs": "tea"}), ("/v1/embeddings", {"input": "tea"})):
            answer = await wires.http.post(path, json=body)
            assert (answer.status_code, "an encoder is not served" in answer.text) == (400, True)
