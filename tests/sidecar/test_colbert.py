"""ColBERT checkpoints are read as they were trained to be, and score as PyLate scores them."""

import json
import shutil

import numpy as np
import pytest

from hybridrank.connector import SidecarClient
from hybridrank.connector.sidecar_client.base import Passage as CandidateText
from hybridrank.model_files import model_folder
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.child import sidecar_process
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.models import loading
from hybridrank.sidecar.rerankers.colbert import ColbertEncoder
from hybridrank.sidecar.runtime.onnx_session import padded
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.types import EncodeRequest, RerankPassage, RerankRequest, TextKind
from tests.contracts.reranker import PASSAGES as CONTRACT_PASSAGES
from tests.contracts.reranker import QUERY as CONTRACT_QUERY
from tests.contracts.reranker import RerankerContract
from tests.golden.colbert import FOLDER, NAMES, ORACLE
from tests.golden.texts import PAIRS, PASSAGES, QUERY

SAME_AS_PYLATE = 1e-4


@pytest.fixture(scope="session")
def checkpoints():
    return loading.load([FOLDER])


@pytest.fixture(scope="session")
def oracle():
    return json.loads(ORACLE.read_text())


def encoder(name):
    folder = model_folder.read(FOLDER / name)
    return ColbertEncoder(folder, folder.toml)


class TestPyLateCheckpoint(RerankerContract):
    same_alone = 5e-5  # a sum of 44 cosines

    @pytest.fixture
    def reranker(self, checkpoints):
        return checkpoints.get("tiny-pylate").reranker


class TestColbertAiCheckpoint(TestPyLateCheckpoint):
    @pytest.fixture
    def reranker(self, checkpoints):
        return checkpoints.get("tiny-colbert-ai").reranker


@pytest.fixture
def service(checkpoints):
    worker = Worker(threads=2, max_queue_tokens=100_000)
    yield RerankService(checkpoints, worker, max_batch_tokens=512)
    worker.close()


@pytest.mark.parametrize("name", NAMES)
async def test_scores_are_those_of_pylate_among_batch_mates_too(service, oracle, name):
    found = {}
    for query in {query for query, _ in PAIRS}:
        passages = tuple(RerankPassage(text, text) for asked, text in PAIRS if asked == query)
        result = await service.rerank(RerankRequest(name, query, passages, max_chunks_per_document=1))
        found.update({(query, score.passage_id): score.relevance_score for score in result.scores})
    wanted = oracle[name]["alone"]
    assert np.ptp(wanted) > 10  # or the comparison below would say little
    np.testing.assert_allclose([found[pair] for pair in PAIRS], wanted, rtol=0, atol=SAME_AS_PYLATE)


async def test_clients_of_a_sidecar_get_the_scores_of_the_checkpoints(oracle):
    with sidecar_process(models=FOLDER) as process:
        async with SidecarClient(process.address) as client:
            passages = [CandidateText(str(i), text) for i, text in enumerate(PASSAGES)]
            for name in NAMES:
                found = await client.rescore(QUERY, passages, model=name, timeout_s=20, max_chunks=1)
                wanted = oracle[name]["alone"][: len(PASSAGES)]
                np.testing.assert_allclose([each.score for each in found], wanted, rtol=0, atol=SAME_AS_PYLATE)
            assert {each.kind for each in await client.models()} == {"colbert"}


@pytest.mark.parametrize("name", NAMES)
async def test_stored_token_vectors_score_as_their_texts_do(service, oracle, name):
    encoded = await service.encode(EncodeRequest(name, PASSAGES, TextKind.DOCUMENT, token_vectors="fp32"))
    stored = tuple(
        RerankPassage(str(i), "", token_vectors=each.token_vectors) for i, each in enumerate(encoded.embeddings)
    )
    result = await service.rerank(RerankRequest(name, QUERY, stored, max_chunks_per_document=1))  # as PyLate cuts
    found = [each.relevance_score for each in sorted(result.scores, key=lambda each: each.index)]
    np.testing.assert_allclose(found, oracle[name]["alone"][: len(PASSAGES)], rtol=0, atol=SAME_AS_PYLATE)


@pytest.mark.parametrize("name", NAMES)
def test_a_longer_batch_mate_changes_pylates_scores_but_not_ours(checkpoints, oracle, name):
    """Its zero padding beats the cosines of a query token with a passage where they are all negative."""
    reranker = checkpoints.get(name).reranker
    ours = reranker.score(reranker.tokenize(QUERY, PASSAGES))
    assert np.max(oracle[name]["padded"] - ours) > 0.1

    encoder = reranker.encoder
    (query,) = encoder.token_rows(encoder.tokenize_texts([QUERY], TextKind.QUERY))
    passages = encoder.token_rows(encoder.tokenize_texts(PASSAGES, TextKind.DOCUMENT))
    longest = max(len(rows) for rows in passages)
    padding = [np.zeros((longest - len(rows), 8), dtype=np.float32) for rows in passages]
    theirs = [(query @ np.vstack(both).T).max(axis=1).sum() for both in zip(passages, padding, strict=True)]
    np.testing.assert_allclose(theirs, oracle[name]["padded"], rtol=0, atol=SAME_AS_PYLATE)


@pytest.mark.parametrize(("name", "attended"), [("tiny-pylate", 6), ("tiny-colbert-ai", 44)])
def test_query_expansion_masks_are_scored_attended_to_or_not(name, attended):
    colbert = encoder(name)
    (query,) = colbert.tokenize_texts(["the, query"], TextKind.QUERY)
    ids = json.loads((FOLDER / name / "tokenizer.json").read_text())["model"]["vocab"]
    read = ["[CLS]", "[unused0]", "the", ",", "query", "[SEP]", *["[MASK]"] * 38]
    assert query.token_ids == tuple(ids[token] for token in read)
    assert padded([query], 0)["attention_mask"].sum() == attended
    assert len(colbert.token_rows([query])[0]) == 44


def test_punctuation_of_a_document_is_read_but_not_scored():
    colbert = encoder("tiny-pylate")
    with_comma, without = colbert.tokenize_texts(["the, query", "the query"], TextKind.DOCUMENT)
    assert len(with_comma) == len(without) + 1 == 6
    rows, others = colbert.token_rows([with_comma, without])
    assert rows.shape == others.shape == (5, 8)
    assert np.abs(rows - others).max() > 0.01  # it was read
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_windows_of_a_document_have_markers_of_their_own():
    colbert = encoder("tiny-pylate")
    (plain,) = colbert.tokenize_texts(["the passage " * 40], TextKind.DOCUMENT)
    (windows,) = colbert.windows(["the passage " * 40], TextKind.DOCUMENT, 3)
    assert [len(window) for window in windows] == [40, 40, 17]
    assert {window.token_ids[:2] for window in windows} == {plain.token_ids[:2]}
    assert (plain.truncated, windows[-1].truncated) == (True, False)


def test_a_long_query_keeps_its_beginning_and_says_so(checkpoints):
    reranker = checkpoints.get("tiny-pylate").reranker
    (pair,) = reranker.tokenize("the query " * 40, ["rank"])
    assert len(pair.query) == 44
    assert pair.query_truncated


def test_a_query_without_a_token_of_its_own_is_refused(checkpoints):
    reranker = checkpoints.get("tiny-pylate").reranker
    with pytest.raises(InvalidArgument, match="query: has nothing that tiny-pylate can read"):
        reranker.tokenize("\u0301", ["rank"])


def test_a_checkpoint_reranks_and_gives_no_vectors(checkpoints):
    info = checkpoints.get("tiny-pylate").info
    assert (info.kind, info.max_tokens, info.dimensions) == ("colbert", 40, 0)
    with pytest.raises(InvalidArgument, match="tiny-pylate"):
        checkpoints.encoder("tiny-pylate")


def test_the_texts_of_the_contract_are_told_apart(checkpoints):
    """Random weights too give every text a score of its own, so that the contract's comparisons say something."""
    for name in NAMES:
        reranker = checkpoints.get(name).reranker
        scores = reranker.score(reranker.tokenize(CONTRACT_QUERY, CONTRACT_PASSAGES))
        assert len(set(scores.round(3).tolist())) == len(CONTRACT_PASSAGES)


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FOLDER / "tiny-pylate", tmp_path / "tiny-pylate")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"query_marker": "[Q]"}, r"tokenizer\.json has no token '\[Q\]', which model\.toml names"),
        ({"skiplist": ("nowhere",)}, "has no token 'nowhere'"),
        ({"expansion_token": "<mask>"}, "has no token '<mask>'"),
        ({"dimensions": 16}, "token vectors have 8 dimensions; model.toml says 16"),
        ({"attend_to_expansion": True}, "its self-test failed"),
    ],
)
def test_a_toml_that_does_not_fit_the_model_is_refused(folder, changes, problem):
    model_folder.write(folder, model_folder.read(folder).toml.model_copy(update=changes))
    with pytest.raises(BadModelFolder, match=problem):
        loading.load([folder])


@pytest.mark.parametrize(
    ("old", "new"),
    [("query_length = 44", "query_length = 32"), ('"[MASK]"', '""'), ('"[unused1]"', '"[unused0]"'), ('"!", ', "")],
)
def test_fields_that_decide_the_output_are_in_the_digest(folder, old, new):
    toml = folder / "model.toml"
    assert old in toml.read_text()
    toml.write_text(toml.read_text().replace(old, new))
    with pytest.raises(BadModelFolder, match="files have digest"):
        model_folder.read(folder)
