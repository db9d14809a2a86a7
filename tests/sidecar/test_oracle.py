"""An export served by the sidecar computes what transformers computes, for models with fresh random weights."""

import numpy as np
import pytest

from hybridrank.sidecar.models import loading
from hybridrank.sidecar.types import TextKind
from tests.golden.texts import PAIRS, PASSAGES

pytestmark = pytest.mark.torch
SAME_AS_TRANSFORMERS = 1e-4


@pytest.fixture(scope="module", params=[1, 2])
def exported(request, tmp_path_factory):
    """A folder with two models as transformers saved them, and the sidecar's models made from them."""
    from hybridrank.training.onnx.export import export_model
    from tests.golden import tiny_models

    folder = tmp_path_factory.mktemp("oracle")
    for kind in ("cross-encoder", "encoder"):
        tiny_models.save(folder / kind, kind, request.param)
        export_model(str(folder / kind), folder / "exported" / kind, precision="fp32")
    return folder, loading.load([folder / "exported"])


def test_cross_encoder_logits(exported):
    from tests.golden import tiny_models

    folder, models = exported
    reranker = models.get("cross-encoder").reranker
    found = [reranker.score(reranker.tokenize(query, [passage]))[0] for query, passage in PAIRS]
    wanted = tiny_models.logits(folder / "cross-encoder", PAIRS)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=SAME_AS_TRANSFORMERS)


def test_dense_vectors(exported):
    from tests.golden import tiny_models

    folder, models = exported
    encoder = models.encoder("encoder")
    found = encoder.embed(encoder.tokenize_texts(PASSAGES, TextKind.DOCUMENT))
    wanted = tiny_models.dense(folder / "encoder", list(PASSAGES))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=SAME_AS_TRANSFORMERS)


def test_late_interaction(exported):
    from tests.golden import tiny_models

    folder, models = exported
    reranker = models.get("encoder").reranker
    found = [reranker.score(reranker.tokenize(query, [passage]))[0] for query, passage in PAIRS]
    wanted = tiny_models.late_interaction(folder / "encoder", PAIRS)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=SAME_AS_TRANSFORMERS)
