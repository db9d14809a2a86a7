"""The shipped models at fp32: weights and tokens are their own, and scores and vectors near those that are served."""

import numpy as np
import pytest

from hybridrank.model_files import model_folder
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models import trial
from hybridrank.sidecar.rerankers.cross_encoder import CrossEncoderReranker
from hybridrank.sidecar.types import TextKind
from tests.training import tiny_berts

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
    from hybridrank.training.onnx.to_transformers import write_transformers

    out = tmp_path_factory.mktemp("fp32")
    write_transformers(SERVED, out)
    return out


def test_transformers_reads_the_same_tokens_and_scores_alike(folder):
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
    np.testing.assert_allclose(fp32, int8, atol=1)  # int8 rounds the activations, which moves short pairs most
    assert np.ptp(fp32) > 8
    assert tokenizer.model_max_length == served.info.max_tokens


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
    assert len(plain) == 6 * 7 + 2 + 5  # what the last attention reads is not quantised
    for name, wanted in plain.items():
        np.testing.assert_array_equal(state[name.removeprefix("m.")].numpy(), wanted)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    from hybridrank.training.onnx.to_transformers import write_transformers

    out = tmp_path_factory.mktemp("encoder-fp32")
    write_transformers(SHIPPED_MODELS / "encoder-minilm-l6", out)
    return out


def test_sentence_transformers_makes_nearly_the_same_vectors(encoder):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(encoder), device="cpu")
    assert model.max_seq_length == 256
    served = trial.load_model(SHIPPED_MODELS / "encoder-minilm-l6").encoder
    texts = [*PASSAGES, "far more words than the model reads " * 100]
    vectors = model.encode(texts)
    int8 = np.concatenate([served.embed([each]) for each in served.tokenize_texts(texts, TextKind.DOCUMENT)])
    assert (vectors * int8).sum(axis=1).min() > 0.98
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["encoder", "cross-encoder"])
def test_dequantized_weights_are_rounded_and_export_alike(kind, tmp_path):
    from safetensors.numpy import load_file

    from hybridrank.training.onnx.export import export_model
    from hybridrank.training.onnx.to_transformers import write_transformers

    tiny_berts.save(tmp_path / "source", kind, seed=3)
    exported = export_model(str(tmp_path / "source"), tmp_path / "onnx", precision="int8", max_tokens=40)
    write_transformers(exported.path, tmp_path / "back")
    before, after = (load_file(tmp_path / each / "model.safetensors") for each in ("source", "back"))
    assert {name for name in before if not name.startswith("pooler.")} == after.keys()
    unread = {"bert.encoder.layer.1.attention.self.key.bias"} & before.keys()  # `training.first_query` leaves it out
    for name, array in after.items():
        wanted = np.zeros_like(array) if name in unread else before[name]
        np.testing.assert_allclose(array, wanted, atol=np.abs(before[name]).max() / 64)
    again = export_model(str(tmp_path / "back"), tmp_path / "again", precision="int8", name="source")
    assert again.toml.model_copy(update={"digest": ""}) == exported.toml.model_copy(update={"digest": ""})


@pytest.mark.parametrize("kind", ["encoder", "cross-encoder"])
def test_weights_at_fp32_beside_int8_are_read_exactly(kind, tmp_path):
    from safetensors.numpy import load_file

    from hybridrank.training.onnx.export import export_model
    from hybridrank.training.onnx.to_transformers import write_transformers

    tiny_berts.save(tmp_path / "source", kind, seed=3)
    exported = export_model(str(tmp_path / "source"), tmp_path / "onnx", precision="both", max_tokens=40)
    assert exported.toml.precision == "int8"
    write_transformers(exported.path, tmp_path / "back")
    before, after = (load_file(tmp_path / each / "model.safetensors") for each in ("source", "back"))
    assert {name for name in before if kind == "cross-encoder" or not name.startswith("pooler.")} == after.keys()
    differ = {name for name, array in after.items() if not (array == before[name]).all()}
    unread = {"bert.encoder.layer.1.attention.self.key.bias"} & before.keys()  # `training.first_query` leaves it out
    assert differ == unread
    assert not any(after[name].any() for name in unread)


def test_a_model_of_another_kind_is_refused(tmp_path):
    from hybridrank.model_files.model_folder import ColbertToml
    from hybridrank.training.onnx.to_transformers import NotABert, write_transformers

    served = model_folder.read(SHIPPED_MODELS / "encoder-minilm-l6")
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).write_bytes((served.path / name).read_bytes())
    fields = served.toml.model_dump(include={"name", "version", "licence", "precision", "max_tokens", "dimensions"})
    model_folder.write(tmp_path, ColbertToml(**fields, query_length=32))
    with pytest.raises(NotABert, match="is a colbert; wanted is an encoder or a cross-encoder"):
        write_transformers(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cross_encoder_of_another_layout_is_refused(tmp_path):
    from hybridrank.training.onnx.export import export_model
    from hybridrank.training.onnx.to_transformers import NotABert, write_transformers
    from tests.golden import tiny_models
    from tests.training import tiny_checkpoints

    source = tiny_checkpoints.save(tmp_path / "source", "distilbert", "ForSequenceClassification", num_labels=1)
    tiny_models.save(tmp_path / "bert", "cross-encoder", seed=1)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (source / name).write_bytes((tmp_path / "bert" / name).read_bytes())
    exported = export_model(str(source), tmp_path / "exported", precision="fp32")
    with pytest.raises(NotABert, match=r"has no encoder\.layer\.0"):
        write_transformers(exported.path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
