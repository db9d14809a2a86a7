"""A reranker that is served elsewhere keeps the contract of local ones, in the shape of each API that reranks."""

import numpy as np
import pytest

from hybridrank.model_files.arrays import unit_rows
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.remote.apis import APIS
from hybridrank.sidecar.types import TextKind
from tests.contracts.reranker import TrainedRerankerContract
from tests.sidecar.remote.providers import endpoints, model_folder, provider, vector

RERANK = [name for name, api in APIS.items() if api.rerank]
EMBED = [name for name, api in APIS.items() if api.embed]


@pytest.fixture(scope="module")
def served():
    with provider() as found:
        yield found


@pytest.mark.parametrize("api", RERANK)
class TestRemoteReranker(TrainedRerankerContract):
    @pytest.fixture
    def reranker(self, api, served, tmp_path):
        folder = model_folder(tmp_path, "remote-reranker", api)
        return load_model(folder, remotes=endpoints(tmp_path, served.url, f"{api}-reranker")).reranker


@pytest.mark.parametrize("api", EMBED)
def test_vectors_are_the_providers_at_unit_length(api, served, tmp_path):
    folder = model_folder(tmp_path, "remote-encoder", api, query_prefix="ask: ")
    encoder = load_model(folder, remotes=endpoints(tmp_path, served.url, f"{api}-encoder")).encoder
    texts = ["green tea", "", "a bridge over a river"]
    found = encoder.embed(encoder.tokenize_texts(texts, TextKind.DOCUMENT))
    np.testing.assert_allclose(found, unit_rows(np.array([vector(text) for text in texts], np.float32)), atol=1e-6)
    (query,) = encoder.embed(encoder.tokenize_texts(["tea"], TextKind.QUERY))
    np.testing.assert_allclose(query, unit_rows(np.array([vector("ask: tea")], np.float32))[0], atol=1e-6)
