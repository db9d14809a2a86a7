"""Poolings and layers in the graph compute what sentence-transformers' modules do, and refuse what they cannot."""

import json
from functools import partial

import numpy as np
import pytest

from tests.training import plans

pytestmark = pytest.mark.torch
planned, refused = (partial(each, max_tokens=48) for each in (plans.planned, plans.refused))
WIDTH = 8


@pytest.fixture
def source(tmp_path):
    """An encoder of no weights, with the files of sentence-transformers."""
    import transformers

    from tests.training import tiny_checkpoints as tiny

    sizes = {"hidden_size": 32, "num_attention_heads": 2}
    transformers.BertConfig(**sizes, architectures=["BertModel"]).save_pretrained(tmp_path)
    tiny.save_tokenizer(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "poolings",
    [
        *(["max"], ["mean_sqrt_len_tokens"], ["weightedmean"], ["lasttoken"]),
        ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"],
    ],
    ids="+".join,
)
def test_a_pooling_is_that_of_sentence_transformers(poolings):
    import torch
    from sentence_transformers.sentence_transformer.modules import Pooling

    from hybridrank.training.onnx.families.pooled_vectors import POOLINGS

    hidden = torch.randn(3, 6, WIDTH)
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2, [1] + [0] * 5])
    wanted = Pooling(WIDTH, poolings)({"token_embeddings": hidden, "attention_mask": mask})["sentence_embedding"]
    found = torch.cat([POOLINGS[each](hidden, mask) for each in poolings], dim=-1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_layers_behind_a_pooling_are_those_of_the_library(source):
    import torch
    from sentence_transformers.base.modules import Dense, Normalize
    from sentence_transformers.sentence_transformer.modules import LayerNorm

    from tests.training import tiny_checkpoints as tiny

    tiny.as_sentence_transformer(source, "Pooling", "Dense", "Normalize", "LayerNorm", "Dropout", "Dense", "Dense")
    tiny.add_dense(source, "2_Dense", 32, 48)
    weights = {"norm.weight": torch.randn(48), "norm.bias": torch.randn(48)}
    tiny.add_layer(source, "4_LayerNorm", weights, dimension=48)
    tiny.add_dense(source, "6_Dense", 48, 16, "activation.GELU", bias=False)
    tiny.add_dense(source, "7_Dense", 16, 16, "linear.Identity")
    tiny.add(source, **{"7_Dense__config": {"use_residual": True}})
    tiny.add(source, config_sentence_transformers={"truncate_dim": 12})
    plan = planned(source)
    assert (plan.toml.pooling, plan.toml.dimensions, plan.output) == ("graph", 12, "sentence_embedding")
    pooled = torch.randn(5, 32)
    features = {"sentence_embedding": pooled}
    for kind, path in (
        (Dense, "2_Dense"),
        (None, ""),
        (LayerNorm, "4_LayerNorm"),
        (Dense, "6_Dense"),
        (Dense, "7_Dense"),
    ):
        module = kind.load(str(source), subfolder=path) if kind else Normalize()
        features = module(features)
    layers = torch.nn.Sequential(*plan.wrap.keywords["layers"])
    with torch.inference_mode():
        np.testing.assert_allclose(layers(pooled), features["sentence_embedding"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            {"activation_function": "my.code.Tanh"},
            "2_Dense has the activation Tanh; known are Identity, .* of torch.nn",
        ),
        ({"activation_function": "torch.nn.Bilinear"}, "has the activation Bilinear; known are"),
        ({"activation_function": "torch.hub.load"}, "has the activation load; known are"),
        ({"in_features": None}, "2_Dense/config.json does not say its in_features"),
        ({"out_features": 9}, "weights of .*2_Dense are not those of its config.json: .*size mismatch"),
        ({"module_input_name": "token_embeddings"}, "is a layer of something else than sentence_embedding"),
        ({"module_output_name": "scores"}, "is a layer of something else than sentence_embedding"),
    ],
)
def test_a_dense_module_that_cannot_be_followed_is_refused(source, said, problem):
    from tests.training import tiny_checkpoints as tiny

    tiny.as_sentence_transformer(source, "Pooling", "Dense")
    tiny.add_dense(source, "2_Dense", 32, 16)
    assert planned(source).toml.dimensions == 16
    path = source / "2_Dense" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **said}))
    refused(source, problem)


def test_a_pooling_that_nobody_knows_is_refused(source):
    from tests.training import tiny_checkpoints as tiny

    tiny.as_sentence_transformer(source, "Pooling", **{"1_Pooling__config": {"pooling_mode": ["mean", "median"]}})
    refused(source, "pools in a way that the sidecar does not: median in 1_Pooling/config.json; it pools by cls, max")


@pytest.mark.parametrize(
    ("said", "ends"), [((True, True), (0, 2)), ((False, True), (None, 2)), ((True, False), (0, None))]
)
def test_first_and_last_tokens_are_those_of_transformers_4(source, said, ends):
    from hybridrank.training.onnx.sources.checkpoint import open_checkpoint
    from tests.training import tiny_checkpoints as tiny

    names = dict(zip(("add_bos_token", "add_eos_token"), said, strict=True))
    tiny.add(source, tokenizer_config={"tokenizer_class": "LlamaTokenizer", **names})
    ids = open_checkpoint(str(source)).tokenizer("the rank")["input_ids"]
    assert (ids[0] if ids[0] == 0 else None, ids[-1] if ids[-1] == 2 else None) == ends
