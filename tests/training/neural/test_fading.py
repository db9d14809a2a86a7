"""Layers fade out one after another, by the step alone, and what has faded is not there."""

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.torch


def small_bert(layers=5):
    import torch
    import transformers

    torch.manual_seed(2)
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=24,
        num_labels=1,
    )
    return transformers.BertForSequenceClassification(config).eval()


def shares_at(fading, model, step):
    fading.on_step_begin(None, SimpleNamespace(global_step=step), None)
    return [getattr(layer, "share", "stays") for layer in model.base_model.encoder.layer]


def test_the_layer_farthest_from_one_that_stays_goes_first():
    from hybridrank.training.neural.fading import Fading

    model = small_bert()
    fading = Fading(model, [0, 4], 30)
    assert shares_at(fading, model, 0) == ["stays", 1, 1, 1, "stays"]
    assert shares_at(fading, model, 5) == ["stays", 1, 0.5, 1, "stays"]
    assert shares_at(fading, model, 15) == ["stays", 0.5, 0, 1, "stays"]
    assert shares_at(fading, model, 25) == ["stays", 0, 0, 0.5, "stays"]
    assert shares_at(fading, model, 30) == ["stays", 0, 0, 0, "stays"]
    assert shares_at(fading, model, 5) == ["stays", 1, 0.5, 1, "stays"]


def test_fading_goes_from_the_whole_network_to_the_smaller_one():
    import torch

    from hybridrank.training.neural.fading import Fading
    from hybridrank.training.neural.students import drop_layers

    ids = torch.tensor([[2, 7, 9, 3]])
    whole, model = small_bert()(ids).logits, small_bert()
    fading = Fading(model, [0, 4], 30)
    shares_at(fading, model, 0)
    torch.testing.assert_close(model(ids).logits, whole)
    shares_at(fading, model, 20)
    halfway = model(ids).logits
    shares_at(fading, model, 30)
    faded = model(ids).logits
    drop_layers(model, [0, 4])
    assert model.config.num_hidden_layers == len(model.base_model.encoder.layer) == 2
    torch.testing.assert_close(model(ids).logits, faded)
    assert len({round(each.item(), 6) for each in (whole, halfway, faded)}) == 3
