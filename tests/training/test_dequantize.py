"""The shipped cross-encoder at fp32: the weights and tokens are its own, and the scores near those that are served."""

import numpy as np
import pytest

from models import SHIPPED_MODELS
from sidecar.rerankers.cross_encoder import CrossEncoderReranker
from sidecar.runtime import model_folder

SERVED = SHIPPED_MODELS / "cross-encoder-minilm-l6"
QUERY = "which animal barks"
PASSAGES = [
    "A dog barks.",
    "Cats purr, and now and then they hiss at dogs.",
    "The bark of an oak keeps insects out.",
    "Wolves howl; dogs, which descend from them, bark at strangers. " * 6,
    "In 1969 two people walked on the moon.",
]

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from training.dequantize import dequantize

    out = tmp_path_factory.mktemp("fp32")
    dequantize(SERVED, out)
    return out


def test_transformers_reads_the_same_tokens_and_scores_nearly_the_same(folder):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    served = CrossEncoderReranker(model_folder.read(SERVED))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    int8, fp32 = [], []
    for passage, pair in zip(PASSAGES, served.tokenize(QUERY, PASSAGES), strict=True):
        inputs = tokenizer(QUERY, passage, return_tensors="pt")
        assert tuple(inputs["input_ids"][0].tolist()) == pair.sequence.token_ids
        assert tuple(inputs["token_type_ids"][0].tolist()) == pair.sequence.segment_ids
        int8.append(served.score([pair])[0])
        with torch.inference_mode():
            fp32.append(model(**inputs).logits.item())
    np.testing.assert_allclose(
        fp32, int8, atol=2
    )  # rounding the activations, which fp32 does not, moves short pairs most
    assert np.ptp(fp32) > 15
    assert tokenizer.model_max_length == 512


def test_each_weight_is_a_whole_number_of_its_column_s_scale(folder):
    import onnx
    from onnx import numpy_helper
    from transformers import AutoModelForSequenceClassification

    graph = onnx.load(str(SERVED / "model.onnx")).graph
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    query, key, value = np.split(
        stored["Attention_2_qkv_weight_quantized"] * stored["Attention_2_qkv_weight_scale"], 3, 1
    )
    state = AutoModelForSequenceClassification.from_pretrained(folder).state_dict()
    for name, wanted in (("query", query), ("key", key), ("value", value)):
        found = state[f"bert.encoder.layer.2.attention.self.{name}.weight"].numpy()
        np.testing.assert_array_equal(found, wanted.T)
    plain = {name: each for name, each in stored.items() if name.startswith("m.") and name.endswith(("bias", "weight"))}
    assert len(plain) == 6 * 7 + 2
    for name, wanted in plain.items():
        np.testing.assert_array_equal(state[name.removeprefix("m.")].numpy(), wanted)


def test_an_encoder_is_refused_and_nothing_is_written(tmp_path):
    from training.dequantize import NotDequantizable, dequantize

    with pytest.raises(NotDequantizable, match="is a encoder at int8"):
        dequantize(SHIPPED_MODELS / "encoder-minilm-l6", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cross_encoder_of_another_layout_is_refused(tmp_path):
    from tests.golden import tiny_models
    from training.dequantize import NotDequantizable, dequantize
    from training.export_onnx import export_model

    tiny_models.save(tmp_path / "source", "cross-encoder", seed=1)
    exported = export_model(str(tmp_path / "source"), tmp_path / "exported", precision="fp32")
    model_folder.write(exported.path, exported.toml.model_copy(update={"precision": "int8"}))
    with pytest.raises(NotDequantizable, match="is no BERT as ONNX Runtime fuses it"):
        dequantize(exported.path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
