"""The neurons that stay are those whose absence the loss feels most."""

import pytest

from tests.training.neural.test_fading import small_bert

pytestmark = pytest.mark.torch


def test_neurons_that_do_nothing_go_first():
    import torch

    from hybridrank.training.neural.pruning import neuron_importance, prune_neurons

    model, ids = small_bert(2), torch.tensor([[2, 7, 9, 3], [2, 5, 8, 3]])
    idle = [0, 3, 4, 11, 17, 23]
    with torch.no_grad():
        for layer in model.base_model.encoder.layer:
            layer.output.dense.weight[:, idle] = 0.0
            layer.intermediate.dense.weight[idle] *= 100  # large, and of no use
    before = model(ids).logits
    importance = neuron_importance(model, [lambda: model(ids).logits.square().sum()] * 2)
    assert [each.shape for each in importance] == [(24,), (24,)]
    for each in importance:
        assert set(each.argsort()[:6].tolist()) == set(idle)
    prune_neurons(model, importance, 18)
    assert model.config.intermediate_size == 18
    assert [layer.output.dense.weight.shape for layer in model.base_model.encoder.layer] == [(16, 18), (16, 18)]
    torch.testing.assert_close(model(ids).logits, before)


def test_importance_is_the_first_order_change_without_the_neuron():
    import torch

    from hybridrank.training.neural.pruning import neuron_importance

    model, ids = small_bert(1).double(), torch.tensor([[2, 7, 9, 3]])  # a difference this small drowns in fp32
    (layer,) = model.base_model.encoder.layer

    def loss():
        return model(ids).logits.sum()

    (importance,) = neuron_importance(model, [loss])
    share, place = 1e-3, int(importance.argmax())
    with torch.no_grad():
        before = model(ids).logits.sum()
        layer.output.dense.weight[:, place] *= 1 - share
        change = (before - model(ids).logits.sum()) / share
    torch.testing.assert_close(change.square().float(), importance[place], rtol=0.05, atol=0)


def test_more_neurons_than_there_are_is_refused():
    import torch

    from hybridrank.training.neural.errors import RecipeError
    from hybridrank.training.neural.pruning import prune_neurons

    with pytest.raises(RecipeError, match=r"student\.intermediate: 25; the base has 24"):
        prune_neurons(small_bert(1), [torch.ones(24)], 25)
