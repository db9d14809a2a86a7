"""Token vectors on their way into an index: which are made, which are refused, and what the index notes."""

from dataclasses import replace

import pytest

from hybridrank.connector import HybridSearch, SidecarClient, SidecarError
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.documents import _Tokens
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.passages import passage_text
from hybridrank.connector.types import Encoding
from hybridrank.sidecar.models.loading import load
from tests.connector.token_menu import MENU, MODEL, RecordingSidecar, forget_note, indexed, menu, request
from tests.golden.colbert import FOLDER as CHECKPOINTS
from tests.golden.sidecar import FOLDER
from tests.sidecar.serving import serving


@pytest.fixture
async def sidecar():
    async with serving(load([FOLDER / MODEL])) as server, RecordingSidecar(server.address) as client:
        yield client


@pytest.fixture
def engine(tmp_path):
    return EmbeddedEngine(tmp_path / "indices")


async def test_a_second_run_is_a_no_op_and_a_new_format_rewrites_all(engine, sidecar, tmp_path):
    await indexed(engine, sidecar, tmp_path, "fp16")
    assert (await indexed(engine, sidecar, tmp_path, "fp16")).unchanged == 4
    assert (await indexed(engine, sidecar, tmp_path, "int8")).indexed == 4
    stored = await engine.stored_token_vectors("menu", menu("tea", "none", "nowhere"))
    assert {key.doc_id: packed[:3] for key, packed in stored.items()} == {"tea": b"TV\x02", "none": b"TV\x02"}
    assert (await engine.fields("menu")).token_vectors.format == "int8"
    with pytest.raises(EngineError, match="holds token vectors of tiny-encoder"):
        await indexed(engine, sidecar, tmp_path, None)


async def test_an_index_without_the_note_is_written_as_before(engine, sidecar, tmp_path):
    """Until a run that writes all its documents notes what it stores."""
    await indexed(engine, sidecar, tmp_path, "int8")
    await forget_note(engine)
    assert (await indexed(engine, sidecar, tmp_path, None)).indexed == 4
    assert await engine.stored_token_vectors("menu", menu("tea")) == {}
    assert (await indexed(engine, sidecar, tmp_path, "int8", MENU[:2])).indexed == 2
    assert (await engine.fields("menu")).token_vectors is None
    assert (await indexed(engine, sidecar, tmp_path, "int8")).indexed == 2
    assert (await engine.fields("menu")).token_vectors.name == MODEL


async def test_one_run_of_the_model_gives_both_kinds_of_vectors(engine, sidecar, tmp_path):
    """And they are the ones that are encoded without token vectors; another model's are encoded by themselves."""
    asked = []

    class Counting(SidecarClient):
        async def encode(self, texts, **how):
            asked.append(("encode", len(texts)))
            return await super().encode(texts, **how)

        async def encode_tokens(self, texts, **how):
            asked.append(("encode_tokens", len(texts)))
            return await super().encode_tokens(texts, **how)

    async with Counting(sidecar.address) as counting:
        report = await indexed(engine, counting, tmp_path, "int8")
        assert (report.indexed, report.encoded, asked) == (4, 3, [("encode_tokens", 4)])
        texts = [passage_text(each.source) for each in MENU[:3]]
        (info,) = await counting.models()
        cached = VectorCache(tmp_path / "vectors.sqlite3").get(info.digest, [*texts, ""])
        encodings = await sidecar.encode(texts, model=MODEL, kind="document", timeout_s=30)
        assert list(cached) == texts
        for text, each in zip(texts, encodings, strict=True):
            assert cached[text] == pytest.approx(each.vector, abs=1e-5)
    async with serving(load([FOLDER / MODEL, CHECKPOINTS / "tiny-pylate"])) as server, Counting(server.address) as two:
        cache = VectorCache(tmp_path / "others.sqlite3")
        asked.clear()
        await index_documents(
            engine, two, "other", MENU, cache=cache, model=MODEL, token_vectors="int8", colbert="tiny-pylate"
        )
        assert asked == [("encode_tokens", 4), ("encode", 3)]


async def test_a_document_that_stays_does_not_undo_a_new_format(engine, sidecar, tmp_path):
    await indexed(engine, sidecar, tmp_path, "fp16")
    assert (await indexed(engine, sidecar, tmp_path, "int8", MENU[1:])).indexed == 3
    stored = await engine.stored_token_vectors("menu", menu("tea", "chai"))
    assert {key.doc_id: packed[:3] for key, packed in stored.items()} == {"tea": b"TV\x01", "chai": b"TV\x02"}
    assert (await engine.fields("menu")).token_vectors.format == "int8"
    response = await HybridSearch(engine, sidecar).search(request(strict=True))
    assert response.degraded == ()
    assert all(hit.rerank_score is not None for hit in response.hits)


async def test_token_vectors_of_another_precision_are_never_stored(engine, sidecar, tmp_path, monkeypatch):
    """One of two sidecars serves the model at another precision: good enough for kNN, and not for token vectors."""
    (info,) = await sidecar.models()
    encode_tokens = sidecar.encode_tokens
    other = replace(info.encoder, digest="fp32", comparable_digests=(info.digest,))

    async def mixed(texts, **how):
        first, *others = await encode_tokens(texts, **how)
        return (replace(first, encoder=other), *others)

    monkeypatch.setattr(sidecar, "encode_tokens", mixed)
    with pytest.raises(SidecarError, match="now a sidecar answered as"):
        await indexed(engine, sidecar, tmp_path, "int8")
    assert await engine.stored_token_vectors("menu", menu("tea")) == {}


async def test_answers_of_unknown_dimensions_are_bounded(sidecar):
    (info,) = await sidecar.models()
    asked = []

    class Counting:
        async def encode_tokens(self, texts, **_):
            asked.append(len(texts))
            return [Encoding((), encoder=replace(info.encoder, digest="c")) for _ in texts]

    colbert = replace(info, kind="colbert", dimensions=0, digest="c", max_tokens=512)
    texts = [f"text {number}" for number in range(64)]
    await _Tokens(colbert, "fp32", "c").encode(Counting(), texts)
    assert sum(asked) == 64
    assert max(asked) * 512 * 4 * 128 * 4 <= 64 * 1024 * 1024, "of 128 dimensions, as ColBERT's are, they fit a message"


async def test_answers_with_token_vectors_are_bounded(engine, sidecar, tmp_path, monkeypatch):
    (info,) = await sidecar.models()
    monkeypatch.setattr("hybridrank.connector.indexing.documents._ANSWER_BYTES", 9 * info.dimensions * info.max_tokens)
    asked = []
    encode_tokens = sidecar.encode_tokens

    async def counting(texts, **how):
        asked.append(len(texts))
        return await encode_tokens(texts, **how)

    monkeypatch.setattr(sidecar, "encode_tokens", counting)
    assert (await indexed(engine, sidecar, tmp_path, "int8")).indexed == 4
    assert asked == [2, 2], "a document may have four windows of one byte a dimension"


async def test_an_index_of_an_earlier_release_has_none(engine, sidecar, tmp_path):
    await indexed(engine, sidecar, tmp_path, None)
    with engine._open("menu") as database:
        database.execute("DROP TABLE token_vectors")
    assert await engine.stored_token_vectors("menu", menu("tea")) == {}


async def test_unsupported_token_vectors_are_refused_before_writing(engine, sidecar, tmp_path):
    with pytest.raises(SidecarError, match="no codec for residuals"):
        await indexed(engine, sidecar, tmp_path, "residual")
    cache = VectorCache(tmp_path / "vectors.sqlite3")
    with pytest.raises(SidecarError, match="no model named 'colbert'"):
        await index_documents(engine, sidecar, "menu", MENU, cache=cache, model=MODEL, token_vectors="int8")
    both = load([FOLDER / MODEL, FOLDER / "tiny-cross-encoder"])
    wrong = {"token_vectors": "int8", "colbert": "tiny-cross-encoder"}
    async with serving(both) as server, SidecarClient(server.address) as two:
        with pytest.raises(SidecarError, match="of kind cross-encoder, which makes no token vectors"):
            await index_documents(engine, two, "menu", MENU, cache=cache, model=MODEL, **wrong)
    assert not (tmp_path / "indices").exists()
