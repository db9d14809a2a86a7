"""Attention of the first token alone: what the whole model scores, from fewer products."""

import numpy as np
import pytest

from hybridrank.sidecar.models import trial
from hybridrank.sidecar.runtime.onnx_session import OnnxSession
from tests.training import tiny_berts

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source") / "tiny"
    tiny_berts.save(folder, "cross-encoder", seed=5)
    return folder


def attentions(path):
    import onnx

    return sum(node.op_type == "Attention" for node in onnx.load(str(path)).graph.node)


def test_a_batch_with_padding_scores_as_transformers_scores_it(source, tmp_path):
    import torch
    import transformers

    from hybridrank.training.onnx.export import export_model

    export_model(str(source), tmp_path / "out", precision="fp32")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(source).eval()
    with torch.no_grad():  # a bias of the keys that were not zero would show
        assert model.base_model.encoder.layer[-1].attention.self.key.bias.abs().max() > 0.01
    assert attentions(tmp_path / "out" / "model.onnx") == model.config.num_hidden_layers - 1
    reranker = trial.load_model(tmp_path / "out").reranker
    passages = ["a", "the rank of a passage " * 4, "query and what is ranked by it"]
    pairs = [pair.sequence for pair in reranker.tokenize("what is rank", passages)]
    assert len({len(pair) for pair in pairs}) == 3
    found = OnnxSession(tmp_path / "out" / "model.onnx", "logits", 0).run(pairs)
    for pair, score in zip(pairs, np.ravel(found), strict=True):
        ids, segments = (torch.tensor([values]) for values in (pair.token_ids, pair.segment_ids))
        with torch.inference_mode():
            wanted = model(input_ids=ids, token_type_ids=segments).logits.item()
        assert score == pytest.approx(wanted, abs=1e-5)
    assert np.ptp(found) > 0.1


def test_attention_that_others_read_stays_whole(source, tmp_path):
    import onnx

    from hybridrank.training.onnx.export import export_model
    from hybridrank.training.onnx.first_query import first_query_only

    export_model(str(source), tmp_path / "out", precision="fp32")
    graph = onnx.load(str(tmp_path / "out" / "model.onnx")).graph
    before = graph.SerializeToString()
    assert first_query_only(graph) == 0
    assert graph.SerializeToString() == before
