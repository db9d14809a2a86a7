"""Reranking by stored token vectors over the wire: encoded once, scored as if their texts had been sent."""

import shutil
from dataclasses import replace

import grpc
import numpy as np
import pytest

from hybridrank.model_files import token_vectors
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.models.loading import load
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.rerankers.late_interaction import UNPACKED_TOKENS, ColbertReranker
from hybridrank.sidecar.scoring import block_scoring
from hybridrank.sidecar.types import DEFAULT_CHUNKS, TextKind
from hybridrank.training.token_codec import frequent_tokens, sample_rows, train_codec
from tests.golden.colbert import FOLDER as CHECKPOINTS
from tests.golden.sidecar import FOLDER
from tests.sidecar.serving import rerank_request, serving

QUERY = "which drink is made of leaves"
TEXTS = ["Tea is made of leaves in hot water.", "A chair", "", "Water, and nothing but water, is a drink.", "Tea " * 90]
FORMATS = {"fp32": pb.TOKEN_VECTORS_FP32, "fp16": pb.TOKEN_VECTORS_FP16, "int8": pb.TOKEN_VECTORS_INT8}
FARTHEST = {"fp32": 1e-6, "fp16": 1e-3, "int8": 1e-2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The tiny encoder with a codec of its own."""
    path = tmp_path_factory.mktemp("models") / "tiny-encoder"
    shutil.copytree(FOLDER / "tiny-encoder", path)
    model = load_model(path)
    encoder = model.reranker.encoder
    rows = np.concatenate(encoder.token_rows(encoder.tokenize_texts(TEXTS * 3, TextKind.DOCUMENT)))
    train_codec(rows, bits=4, centroids=16, model_digest=model.info.digest).save(path / "codec.npz")
    return path


@pytest.fixture
async def client(folder):
    async with serving(load([folder, FOLDER / "tiny-cross-encoder"]), score_cache_bytes=1 << 20) as client:
        yield client


async def encoded(client, texts, token_vectors, model="tiny-encoder", kind=pb.TEXT_KIND_DOCUMENT) -> list[bytes]:
    request = pb.EncodeRequest(model=model, texts=texts, kind=kind, token_vectors=token_vectors)
    response = await client.encoder.Encode(request)
    return [each.token_vectors for each in response.embeddings]


def stored_request(stored, model="tiny-encoder", **options) -> pb.RerankRequest:
    candidates = [pb.Candidate(id=f"p{place}", token_vectors=each) for place, each in enumerate(stored)]
    return pb.RerankRequest(model=model, query=QUERY, candidates=candidates, options=pb.RerankOptions(**options))


async def scores(client, request) -> list[float]:
    response = await client.reranker.Rerank(request)
    return [each.relevance_score for each in sorted(response.results, key=lambda each: each.index)]


async def refusal(call) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return caught.value.details()


@pytest.mark.parametrize("name", FORMATS)
async def test_stored_vectors_score_as_their_texts_do(client, name):
    wanted = await client.reranker.Rerank(rerank_request("tiny-encoder", QUERY, *TEXTS))
    stored = await encoded(client, TEXTS, FORMATS[name])
    found = await client.reranker.Rerank(stored_request(stored))
    by_index = {each.index: each for each in found.results}
    assert [each.index for each in found.results] == [each.index for each in wanted.results]
    for each in wanted.results:
        assert by_index[each.index].relevance_score == pytest.approx(each.relevance_score, abs=FARTHEST[name])
        assert by_index[each.index].truncated == each.truncated
    assert {each.truncated for each in found.results} == {False, True}
    assert found.complete


@pytest.mark.parametrize("name", ["tiny-colbert-ai", "tiny-pylate"])
async def test_so_do_those_of_checkpoints_whose_scores_are_sums(name):
    async with serving(load([CHECKPOINTS / name])) as client:
        wanted = await scores(client, rerank_request(name, QUERY, *TEXTS))
        stored = await encoded(client, TEXTS, pb.TOKEN_VECTORS_FP32, model=name)
        assert await scores(client, stored_request(stored, model=name)) == pytest.approx(wanted, abs=1e-4)
        assert max(map(abs, wanted)) > 1


async def test_residuals_need_the_codec_of_the_folder_and_come_near(client):
    models = (await client.models.List(pb.ListModelsRequest())).models
    digests = {each.name: each.token_codec for each in models}
    assert len(digests["tiny-encoder"]) == 64
    assert digests["tiny-cross-encoder"] == ""
    wanted = await scores(client, rerank_request("tiny-encoder", QUERY, *TEXTS))
    stored = await encoded(client, TEXTS, pb.TOKEN_VECTORS_RESIDUAL)
    assert await scores(client, stored_request(stored)) == pytest.approx(wanted, abs=0.05)
    assert len(stored[0]) < len((await encoded(client, TEXTS[:1], pb.TOKEN_VECTORS_INT8))[0])


async def test_a_pruning_codec_drops_tokens_of_documents_only(folder, tmp_path):
    """The three make up the text that says nothing but "Tea": it keeps them, as it would have none else."""
    path = tmp_path / "tiny-encoder"
    shutil.copytree(folder, path)
    model = load_model(path)
    encoder, whole = model.token_encoder, model.codecs["residual"]
    pruned = frozenset(encoder.tokenize_texts(["tea"], TextKind.DOCUMENT)[0].token_ids[1:-1])
    codec = replace(whole, pruned=pruned)
    codec.save(path / "codec.npz")
    async with serving(load([path])) as client:
        assert (await client.models.List(pb.ListModelsRequest())).models[0].token_codec == codec.digest != whole.digest
        sizes = []
        for text, windows in zip(TEXTS, encoder.windows(TEXTS, TextKind.DOCUMENT, DEFAULT_CHUNKS), strict=True):
            rows = [encoder.token_rows([window])[0] for window in windows]
            stays = [
                np.array([each not in pruned for each in window.token_ids[1:-1]], dtype=bool) for window in windows
            ]
            kept = [each[some] for each, some in zip(rows, stays, strict=True)]
            (stored,) = await encoded(client, [text], pb.TOKEN_VECTORS_RESIDUAL)
            expected = [some if len(some) else each for some, each in zip(kept, rows, strict=True)]
            assert stored == token_vectors.write(codec, *expected, truncated=windows[-1].truncated)
            (query,) = await encoded(client, [text or "a"], pb.TOKEN_VECTORS_RESIDUAL, kind=pb.TEXT_KIND_QUERY)
            (plain,) = await encoded(client, [text], pb.TOKEN_VECTORS_FP32)
            assert len(plain) == sum(16 + each.nbytes for each in rows)
            assert len(query) == 16 + max(1, len(rows[0])) * codec.record_bytes
            sizes.append(([len(each) for each in kept], [len(each) for each in rows]))
        assert [0 < sum(kept) < sum(rows) for kept, rows in sizes] == [True, True, False, True, False]
        assert sizes[4] == ([0] * 4, [46] * 4)
        stored = await encoded(client, TEXTS, pb.TOKEN_VECTORS_RESIDUAL)
        assert len(await scores(client, stored_request(stored))) == len(TEXTS)


def test_the_most_frequent_tokens_are_pruned_and_ties_by_id(folder):
    """Of TEXTS, 46 (##a) is in four, 50 (##e) and 63 (##r) in three: 49 of 109 rows."""
    encoder = load_model(folder).reranker.encoder
    assert frequent_tokens(encoder, TEXTS, 3) == (frozenset({46, 50, 63}), 49 / 109)
    assert frequent_tokens(encoder, TEXTS, 2)[0] == {46, 50}
    assert frequent_tokens(encoder, [""], 2) == (frozenset(), 0.0)
    rows = sample_rows(encoder, TEXTS, documents=9, pruned=frozenset({46, 50, 63}))
    assert len(rows) == 109 - 49


async def test_a_long_document_counts_by_its_best_window(client):
    """The second window holds the answer; the two together are stored, and none of the text is left out."""
    long = "chair " * 12 + QUERY
    wanted = await client.reranker.Rerank(rerank_request("tiny-encoder", QUERY, long))
    assert (wanted.results[0].scored_chunks, wanted.results[0].truncated) == (2, False)
    request = pb.EncodeRequest(
        model="tiny-encoder", texts=[long], kind=pb.TEXT_KIND_DOCUMENT, token_vectors=pb.TOKEN_VECTORS_FP32
    )
    (found,) = (await client.encoder.Encode(request)).embeddings
    assert not found.truncated
    stored = await client.reranker.Rerank(stored_request([found.token_vectors]))
    assert stored.results[0].relevance_score == pytest.approx(wanted.results[0].relevance_score, abs=1e-5)
    for options in ({"max_chunks_per_document": 1}, {"chunk_score": pb.CHUNK_SCORE_FIRST}):
        texts = rerank_request("tiny-encoder", QUERY, long)
        texts.options.MergeFrom(pb.RerankOptions(**options))
        (first,) = (await client.reranker.Rerank(texts)).results
        (same,) = (await client.reranker.Rerank(stored_request([found.token_vectors], **options))).results
        assert same.relevance_score == pytest.approx(first.relevance_score, abs=1e-5)
        assert same.truncated
        assert stored.results[0].relevance_score > same.relevance_score + 0.01
    texts.options.chunk_score = pb.CHUNK_SCORE_MEAN
    stored = stored_request([found.token_vectors] * 2, chunk_score=pb.CHUNK_SCORE_MEAN)
    assert await scores(client, stored) == pytest.approx(await scores(client, texts) * 2, abs=1e-5)


async def test_a_score_depends_on_no_other_passage_and_no_block(client, monkeypatch):
    stored = await encoded(client, TEXTS, pb.TOKEN_VECTORS_FP32)
    mixed = [*stored, *await encoded(client, TEXTS, pb.TOKEN_VECTORS_INT8), *stored[::-1]]
    alone = [(await scores(client, stored_request([each])))[0] for each in mixed]
    assert await scores(client, stored_request(mixed)) == pytest.approx(alone, abs=1e-6)
    monkeypatch.setattr(block_scoring, "MIN_BLOCK_TOKENS", 0)
    monkeypatch.setattr(block_scoring, "MAX_BLOCK_TOKENS", 0.2)
    monkeypatch.setattr("hybridrank.sidecar.rerankers.late_interaction.UNPACKED_TOKENS", 4)
    assert await scores(client, stored_request(mixed)) == pytest.approx(alone, abs=1e-6)


async def test_ten_thousand_candidates_are_unpacked_a_block_at_a_time(client, monkeypatch):
    seen = []
    unpack = token_vectors.unpack

    def spy(passages):
        seen.append(sum(each.tokens for each in passages))
        return unpack(passages)

    monkeypatch.setattr(token_vectors, "unpack", spy)
    (one,) = await encoded(client, TEXTS[:1], pb.TOKEN_VECTORS_FP16)
    found = await scores(client, stored_request([one] * 10_000))
    assert len(set(np.round(found, 6))) == 1
    assert len(seen) > 1
    assert max(seen) <= UNPACKED_TOKENS + 64


async def test_an_encoders_own_vector_comes_with_those_of_the_tokens(client):
    wanted = await client.encoder.Encode(
        pb.EncodeRequest(model="tiny-encoder", texts=TEXTS, kind=pb.TEXT_KIND_DOCUMENT)
    )
    for packing in (pb.TOKEN_VECTORS_FP32, pb.TOKEN_VECTORS_RESIDUAL):
        found = await client.encoder.Encode(
            pb.EncodeRequest(model="tiny-encoder", texts=TEXTS, kind=pb.TEXT_KIND_DOCUMENT, token_vectors=packing)
        )
        for one, other in zip(found.embeddings, wanted.embeddings, strict=True):
            np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)
            assert one.truncated == other.truncated
    async with serving(load([CHECKPOINTS / "tiny-pylate"])) as checkpoint:
        found = await checkpoint.encoder.Encode(
            pb.EncodeRequest(
                model="tiny-pylate", texts=TEXTS, kind=pb.TEXT_KIND_DOCUMENT, token_vectors=pb.TOKEN_VECTORS_FP32
            )
        )
        assert [len(each.vector) for each in found.embeddings] == [0] * len(TEXTS)


async def test_encoding_tokens_leaves_the_cache_of_scores_alone(client):
    await encoded(client, TEXTS, pb.TOKEN_VECTORS_FP32)
    assert client.service.cache.used_bytes == 0


async def test_vectors_that_do_not_fit_are_refused_and_named(client, tmp_path):
    stored = await encoded(client, TEXTS[:2], pb.TOKEN_VECTORS_FP16)
    assert "candidates[1].token_vectors: are damaged" in await refusal(
        client.reranker.Rerank(stored_request([stored[0], stored[1][:-1]]))
    )
    assert "candidates[1].token_vectors: is empty" in await refusal(
        client.reranker.Rerank(stored_request([stored[0], b""]))
    )
    assert "is a cross-encoder; send texts" in await refusal(
        client.reranker.Rerank(stored_request(stored, model="tiny-cross-encoder"))
    )
    assert "which makes no token vectors" in await refusal(
        encoded(client, TEXTS, pb.TOKEN_VECTORS_FP32, model="tiny-cross-encoder")
    )
    foreign = stored[0][:8] + b"12345678" + stored[0][16:]
    digest = client.service.models.get("tiny-encoder").info.digest
    assert f"are fp16 3132333435363738, but this model reads fp16 {digest[:16]}" in await refusal(
        client.reranker.Rerank(stored_request([foreign]))
    )
    residual = bytearray((await encoded(client, TEXTS[:1], pb.TOKEN_VECTORS_RESIDUAL))[0])
    residual[16:18] = b"\xff\xff"
    assert "candidates.token_vectors: are damaged" in await refusal(
        client.reranker.Rerank(stored_request([bytes(residual)]))
    )
    exact = (await encoded(client, TEXTS[:1], pb.TOKEN_VECTORS_FP32))[0]
    infinite = exact[:16] + np.array([np.nan, np.inf], "<f4").tobytes() + exact[24:]
    assert "candidates.token_vectors: are damaged: a number in them is not finite" in await refusal(
        client.reranker.Rerank(stored_request([infinite]))
    )
    (rows,) = np.frombuffer(exact[6:8], "<u2").tolist()
    many = exact[:6] + np.array([60_000], "<u2").tobytes() + exact[8:16] + (exact[16:] * (60_000 // rows + 1))
    size = (len(exact) - 16) // rows * 60_000
    assert "candidates[0].token_vectors: has 60000 tokens in a window; the model reads" in await refusal(
        client.reranker.Rerank(stored_request([many[: 16 + size]]))
    )
    async with serving(load([FOLDER / "tiny-encoder"])) as plain:
        assert "packs by fp32, fp16, int8" in await refusal(encoded(plain, TEXTS, pb.TOKEN_VECTORS_RESIDUAL))


async def test_a_query_without_a_word_and_contributions_are_refused(client):
    stored = await encoded(client, TEXTS[:1], pb.TOKEN_VECTORS_FP16)
    request = stored_request(stored)
    request.query = " "
    assert (await refusal(client.reranker.Rerank(request))).startswith("query: ")
    assert "contributions" in await refusal(client.reranker.Rerank(stored_request(stored, contributions=True)))


async def test_rows_that_are_not_finite_are_never_stored_nor_ranked(folder):
    class Overflowing(ColbertReranker):
        def score_stored(self, query, passages, combine):
            return np.full(len(passages), np.nan, dtype=np.float32)

    model = load_model(folder)
    broken = Overflowing(model.token_encoder, model.codecs)
    async with serving(Models([replace(model, reranker=broken)])) as client:
        stored = await encoded(client, TEXTS[:1], pb.TOKEN_VECTORS_FP32)
        with pytest.raises(grpc.aio.AioRpcError, match="not finite for candidates"):
            await client.reranker.Rerank(stored_request(stored))
        broken.encoder.embed_with_tokens = lambda sequences: [np.full((2, 8), np.nan)] * len(sequences)
        with pytest.raises(grpc.aio.AioRpcError, match="not finite for texts"):
            await encoded(client, ["other"], pb.TOKEN_VECTORS_FP32)


def test_a_codec_of_another_model_is_ignored_a_bad_one_refused(folder, tmp_path, capsys):
    path = tmp_path / "tiny-encoder"
    shutil.copytree(folder, path)
    rows = np.eye(8, load_model(folder).codecs["fp32"].dimensions, dtype=np.float32)
    train_codec(rows, bits=2, centroids=2, model_digest="0" * 64).save(path / "codec.npz")
    model = load_model(path)
    assert (sorted(model.codecs), model.info.token_codec) == (["fp16", "fp32", "int8"], "")
    assert "codec.npz left out" in "".join(capsys.readouterr())
    (path / "codec.npz").write_bytes(b"damaged")
    with pytest.raises(BadModelFolder, match=r"codec\.npz is no codec"):
        load_model(path)
