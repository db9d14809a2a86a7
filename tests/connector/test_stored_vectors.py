"""Token vectors from the index to the score: a real sidecar, a real index, and what happens when they do not fit."""

import asyncio
import shutil
from dataclasses import replace

import numpy as np
import pytest

from hybridrank.connector import HybridSearch, InvalidRequest, SidecarClient
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.errors import EngineError, ModelMissing, SidecarUnreachable
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.connector.types import Document, DocumentKey
from hybridrank.sidecar.models.loading import load
from hybridrank.sidecar.models.trial import load_model
from hybridrank.training.token_codec import train_codec
from tests.connector.token_menu import MENU, MODEL, RecordingSidecar, forget_note, indexed, request
from tests.doubles import RecordingEngine
from tests.golden.colbert import FOLDER as CHECKPOINTS
from tests.golden.sidecar import FOLDER
from tests.sidecar.serving import serving


class Recording(RecordingEngine):
    def __init__(self, inner) -> None:
        super().__init__(inner)
        self.windows: list[list[DocumentKey]] = []

    async def stored_token_vectors(self, index, keys):
        self.windows.append(list(keys))
        return await self.inner.stored_token_vectors(index, keys)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The tiny encoder with a codec of its own."""
    path = tmp_path_factory.mktemp("models") / MODEL
    shutil.copytree(FOLDER / MODEL, path)
    model = load_model(path)
    rows = np.eye(64, model.codecs["fp32"].dimensions, dtype=np.float32)
    train_codec(rows, bits=2, centroids=8, model_digest=model.info.digest).save(path / "codec.npz")
    return path


@pytest.fixture
async def sidecar():
    async with serving(load([FOLDER / MODEL])) as server, RecordingSidecar(server.address) as client:
        yield client


@pytest.fixture
def engine(tmp_path):
    return EmbeddedEngine(tmp_path / "indices")


def rerank_scores(response) -> dict[str, float]:
    return {hit.doc_id: hit.rerank_score for hit in response.hits}


@pytest.mark.parametrize(("token_vectors", "farthest"), [("fp32", 1e-5), ("fp16", 1e-3), ("int8", 1e-2)])
async def test_stored_vectors_score_as_texts_do_for_one_more_request(
    engine, sidecar, tmp_path, token_vectors, farthest
):
    report = await indexed(engine, sidecar, tmp_path, token_vectors)
    assert (report.indexed, report.rejected) == (4, ())
    recording = Recording(engine)
    search = HybridSearch(recording, sidecar)
    found = await search.search(request())
    wanted = await search.search(request(token_vectors=False))
    assert found.degraded == ()
    assert rerank_scores(found) == pytest.approx(rerank_scores(wanted), abs=farthest)
    assert len(set(rerank_scores(found).values())) == 3
    by_vectors, by_texts = sidecar.sent
    assert all(each.token_vectors for each in by_vectors)
    assert not any(each.token_vectors for each in by_texts)
    assert [sorted(window) for window in recording.windows] == [sorted(hit.key for hit in wanted.hits)]
    assert all("token_vectors" not in hit.source for hit in found.hits)


async def test_only_the_window_is_fetched(engine, sidecar, tmp_path):
    await indexed(engine, sidecar, tmp_path, "int8")
    recording = Recording(engine)
    await HybridSearch(recording, sidecar).search(request(rescore_window_size=2))
    assert [len(window) for window in recording.windows] == [2]
    assert len(recording.queries) == 1


async def test_a_long_document_is_found_by_its_end(engine, sidecar, tmp_path):
    long = Document("long", {"title": "chair", "text": "chair " * 12 + "hot tea with milk"})
    report = await indexed(engine, sidecar, tmp_path, "fp32", [*MENU, long])
    assert report.truncated == 0
    stored, texts = [
        await HybridSearch(engine, sidecar).search(request(token_vectors=each, max_chunks=4)) for each in (True, False)
    ]
    by_id = {hit.doc_id: hit for hit in texts.hits}
    assert by_id["long"].scored_chunks == 2
    for hit in stored.hits:
        assert hit.rerank_score == pytest.approx(by_id[hit.doc_id].rerank_score, abs=1e-4)


async def test_vectors_of_another_codec_fall_back_to_texts_once(engine, sidecar, tmp_path, folder):
    async with serving(load([folder])) as server, SidecarClient(server.address) as trained:
        await indexed(engine, trained, tmp_path, "residual")
        matching = await HybridSearch(engine, trained).search(request())
        assert matching.degraded == ()
    found = await HybridSearch(engine, sidecar).search(request())
    (lack,) = found.degraded
    assert (lack.stage, lack.reason) == ("rescore", "token_vectors")
    assert lack.detail.startswith("scored by texts: ")
    assert "are residual" in lack.detail
    assert "this model reads no residual" in lack.detail
    assert [bool(sent[0].token_vectors) for sent in sidecar.sent] == [True, False]
    wanted = await HybridSearch(engine, sidecar).search(request(token_vectors=False))
    assert found.hits == wanted.hits


async def test_a_candidate_without_vectors_has_all_scored_by_texts(engine, sidecar, tmp_path):
    await indexed(engine, sidecar, tmp_path, "fp16")
    await engine.index_documents("menu", [replace(MENU[0], source=MENU[0].source | {"kind": "new"})])
    await engine.refresh("menu")
    found = await HybridSearch(engine, sidecar).search(request())
    (lack,) = found.degraded
    assert "1 of 3 candidates have no token vectors in 'menu', 'menu/tea' among them" in lack.detail
    assert all(hit.rerank_score is not None for hit in found.hits)


async def test_an_engine_that_fails_to_bring_them_costs_no_scores(engine, sidecar, tmp_path):
    class Failing(Recording):
        async def stored_token_vectors(self, index, keys):
            raise EngineError("a shard failed", reason="partial")

    class Slow(Recording):
        async def stored_token_vectors(self, index, keys):
            await asyncio.sleep(30)

    await indexed(engine, sidecar, tmp_path, "fp16")
    found = await HybridSearch(Failing(engine), sidecar).search(request())
    assert [(each.stage, each.reason) for each in found.degraded] == [("rescore", "token_vectors")]
    assert all(hit.rerank_score is not None for hit in found.hits)
    late = await HybridSearch(Slow(engine), sidecar).search(request(timeout_s=0.2))
    assert [each.reason for each in late.degraded] == ["token_vectors", "timeout"]
    assert all(hit.rerank_score is None for hit in late.hits)


async def test_a_request_that_cannot_be_served_is_an_error_of_its_own(sidecar):
    with pytest.raises(InvalidRequest, match="are not token vectors"):
        await sidecar.rescore("tea", [Passage("a", "tea", b"damaged")], model=MODEL, timeout_s=10)


async def test_vectors_that_the_index_notes_are_scored_by_default(engine, sidecar, tmp_path):
    await indexed(engine, sidecar, tmp_path, "fp32")
    recording = Recording(engine)
    search = HybridSearch(recording, sidecar)
    by_texts = await search.search(request(token_vectors=False, strict=True))
    for token_vectors in (None, True):
        found = await search.search(request(token_vectors=token_vectors, strict=True))
        assert found.degraded == ()
        assert rerank_scores(found) == pytest.approx(rerank_scores(by_texts), abs=1e-5)
    assert [bool(sent[0].token_vectors) for sent in sidecar.sent] == [False, True, True]
    assert len(recording.windows) == 2


async def test_describing_the_model_takes_its_time_from_the_stage(engine, sidecar, tmp_path, monkeypatch):
    await indexed(engine, sidecar, tmp_path, "fp32")
    model, rescore, given = sidecar.model, sidecar.rescore, []

    async def another(name, **asked):
        await asyncio.sleep(0.3)
        return replace(await model(name, **asked), digest="another")

    async def recording(*passages, timeout_s, **asked):
        given.append(timeout_s)
        return await rescore(*passages, timeout_s=timeout_s, **asked)

    monkeypatch.setattr(sidecar, "model", another)
    monkeypatch.setattr(sidecar, "rescore", recording)
    await HybridSearch(engine, sidecar).search(request(token_vectors=None, timeout_s=20.0))
    (timeout_s,) = given
    assert timeout_s <= 19.7


async def test_an_index_without_a_note_costs_no_request_more(engine, sidecar, tmp_path):
    """Neither one that holds none, nor one of an earlier release, whose vectors are scored on request."""
    recording = Recording(engine)
    search = HybridSearch(recording, sidecar)
    for token_vectors in (None, "int8"):
        await indexed(engine, sidecar, tmp_path, token_vectors)
        await forget_note(engine)
        assert (await search.search(request(token_vectors=None))).degraded == ()
    assert not any(each.token_vectors for sent in sidecar.sent for each in sent)
    assert (recording.windows, sidecar.asked) == ([], [])
    assert (await search.search(request(token_vectors=True))).degraded == ()
    assert (len(recording.windows), sidecar.asked) == (1, [])


@pytest.mark.parametrize(
    "changes", [{"model": "tiny-pylate"}, {"fields": ("title",)}], ids=["another model", "other texts"]
)
async def test_what_the_vectors_are_not_of_is_scored_by_texts(engine, tmp_path, changes):
    models = load([FOLDER / MODEL, CHECKPOINTS / "tiny-pylate"])
    async with serving(models) as server, RecordingSidecar(server.address) as sidecar:
        await indexed(engine, sidecar, tmp_path, "int8")
        recording = Recording(engine)
        found = await HybridSearch(recording, sidecar).search(request(token_vectors=None, **changes))
        assert (found.degraded, recording.windows) == ((), [])
        assert all(hit.rerank_score is not None for hit in found.hits)
        assert not any(each.token_vectors for each in sidecar.sent[0])


async def test_searched_fields_other_than_title_and_text_are_read(engine, sidecar, tmp_path):
    await indexed(engine, sidecar, tmp_path, "int8")
    search = HybridSearch(engine, sidecar)
    for fields, stored in (({"title": 2.0}, False), ({"text": 1.0, "title": 3.0}, True)):
        asked = request(token_vectors=None).model_copy(update={"fields": fields})
        assert (await search.search(asked)).degraded == ()
        assert bool(sidecar.sent[-1][0].token_vectors) is stored


async def test_missing_vectors_of_a_noting_index_never_end_a_search(engine, sidecar, tmp_path):
    await indexed(engine, sidecar, tmp_path, "fp16")
    search = HybridSearch(engine, sidecar)
    for left, said in ((MENU[:1], "1 of 3"), (MENU, "3 of 3")):
        await engine.index_documents("menu", left)
        await engine.refresh("menu")
        found = await search.search(request(token_vectors=None, strict=True))
        (lack,) = found.degraded
        assert (lack.stage, lack.reason, lack.configuration) == ("rescore", "token_vectors", False)
        assert f"scored by texts: {said} candidates have no token vectors" in lack.detail
        assert all(hit.rerank_score is not None for hit in found.hits)


async def test_a_codec_that_was_replaced_never_ends_a_search(engine, sidecar, tmp_path, folder):
    async with serving(load([folder])) as server, SidecarClient(server.address) as trained:
        await indexed(engine, trained, tmp_path, "residual")
    (lack,) = (await HybridSearch(engine, sidecar).search(request(token_vectors=None, strict=True))).degraded
    assert lack.reason == "token_vectors"
    assert "this model reads no residual" in lack.detail


async def test_a_model_is_described_once_a_minute(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("hybridrank.connector.sidecar_client.client.monotonic", lambda: now[0])
    async with SidecarClient("localhost:1") as nobody:
        with pytest.raises(SidecarUnreachable):
            await nobody.model(MODEL, timeout_s=5)
    async with serving(load([FOLDER / MODEL])) as server, SidecarClient(server.address) as sidecar:
        first = await sidecar.model(MODEL, timeout_s=5)
        assert (first.name, first.kind) == (MODEL, "encoder")
        with pytest.raises(ModelMissing):
            await sidecar.model("nowhere", timeout_s=5)
        now[0] = 59.0
        assert await sidecar.model(MODEL, timeout_s=5) is first
        now[0] = 61.0
        assert await sidecar.model(MODEL, timeout_s=5) is not first
