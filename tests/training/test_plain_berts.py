"""An imported BERT is read back from its graph exactly, or refused with what it lacks; training begins from it."""

import json

import pytest

from hybridrank.model_files import model_folder

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """An imported encoder of four heads, decomposed layer norms, and names that begin with bert."""
    from tests.training import plain_exports

    folder = tmp_path_factory.mktemp("plain")
    source = plain_exports.checkpoint(folder / "checkpoint", num_attention_heads=4)
    return plain_exports.imported(source, folder / "imported", 11, prefix="bert")


def refusal(folder, out):
    """Returns the sentence by which a model folder is refused."""
    from hybridrank.training.onnx.to_transformers import NotABert, write_transformers

    with pytest.raises(NotABert) as refused:
        write_transformers(folder, out)
    assert not out.exists()
    return str(refused.value)


def edited(folder, out, edit=lambda _graph: None, tokenizer=None, **fields):
    """A copy of a model folder with another graph, other parts of the tokenizer, or other fields of model.toml."""
    import onnx

    model, parts = onnx.load(str(folder / "model.onnx")), json.loads((folder / "tokenizer.json").read_text())
    edit(model.graph)
    out.mkdir()
    onnx.save(model, str(out / "model.onnx"))
    (out / "tokenizer.json").write_text(json.dumps({**parts, **(tokenizer or {})}))
    model_folder.write(out, model_folder.read(folder).toml.model_copy(update=fields))
    return out


@pytest.mark.parametrize(
    ("kind", "opset", "heads", "epsilon", "prefix", "attention"),
    [
        ("encoder", 11, 4, 1e-12, "bert", "eager"),
        ("encoder", 14, 8, 1e-5, "0.auto_model", "sdpa"),
        ("encoder", 17, 1, 1e-7, "m", "eager"),
        ("cross-encoder", 14, 4, 1e-12, "model", "sdpa"),
    ],
)
def test_weights_and_results_are_those_of_the_original(kind, opset, heads, epsilon, prefix, attention, tmp_path):
    import torch
    from safetensors.numpy import load_file

    from hybridrank.training.onnx.to_transformers import write_transformers
    from tests.training import plain_exports

    source = plain_exports.checkpoint(tmp_path / "a", kind, num_attention_heads=heads, layer_norm_eps=epsilon)
    folder = plain_exports.imported(source, tmp_path / "b", opset, kind=kind, prefix=prefix, attention=attention)
    write_transformers(folder, tmp_path / "c")
    before, after = (load_file(tmp_path / each / "model.safetensors") for each in "ac")
    assert after.keys() == {name for name in before if kind == "cross-encoder" or not name.startswith("pooler.")}
    assert all((array == before[name]).all() for name, array in after.items())
    ids = torch.arange(5, 25).reshape(2, 10)
    first, second = (plain_exports.AUTO[kind].from_pretrained(tmp_path / each).eval() for each in "ac")
    assert (second.config.num_attention_heads, second.config.layer_norm_eps) == (heads, epsilon)
    with torch.inference_mode():
        wanted, found = first(input_ids=ids)[0], second(input_ids=ids)[0]
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def test_the_newer_exporter_names_a_matrix_by_its_bias_alone(tmp_path):
    import onnx
    from safetensors.numpy import load_file

    from hybridrank.training.onnx import unfused
    from hybridrank.training.onnx.berts.graph import read_bert
    from hybridrank.training.onnx.original import Original
    from tests.training import plain_exports

    source = plain_exports.checkpoint(tmp_path / "a", num_attention_heads=8)
    model = plain_exports.AUTO["encoder"].from_pretrained(source, add_pooling_layer=False).eval()
    unfused.trace(Original(model, plain_exports.INPUTS, "last_hidden_state"), tmp_path / "model.onnx")
    bert = read_bert(onnx.load(str(tmp_path / "model.onnx")).graph)
    assert (bert.heads, bert.epsilon, bert.layers) == (8, 1e-12, 2)
    before = load_file(tmp_path / "a" / "model.safetensors")
    assert all((array == before[name]).all() for name, array in bert.weights.items())
    assert bert.weights.keys() == {name for name in before if not name.startswith("pooler.")}


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_another_activation_is_refused(activation, tmp_path):
    from tests.training import plain_exports

    source = plain_exports.checkpoint(tmp_path / "a", hidden_act=activation)
    folder = plain_exports.imported(source, tmp_path / "b", 14)
    assert "has 0 GELUs by the error function in 2 layers" in refusal(folder, tmp_path / "c")


def test_positions_that_begin_elsewhere_are_refused(tmp_path):
    from tests.training import plain_exports

    source = plain_exports.checkpoint(tmp_path / "a")
    folder = plain_exports.imported(source, tmp_path / "b", 14, first_position=2)  # as RoBERTa counts them
    assert "is no plain BERT: with its weights, one computes results that differ by" in refusal(folder, tmp_path / "c")


def test_a_weight_without_its_name_is_missed_by_name(plain, tmp_path):
    def rename(graph):
        for each in (*graph.initializer, *graph.node):
            if each.name == "bert.encoder.layer.1.output.dense.bias":
                each.name = "unknown"
            elif hasattr(each, "input"):
                each.input[:] = ["unknown" if "layer.1.output.dense.bias" in name else name for name in each.input]

    folder = edited(plain, tmp_path / "b", rename)
    assert refusal(folder, tmp_path / "c").endswith("has no encoder.layer.1.output.dense.bias")


def test_the_number_of_heads_is_never_guessed(plain, tmp_path):
    import numpy as np
    from onnx import numpy_helper

    def hide(graph):  # another shape for one of the queries: 2 heads of 16 beside 4 heads of 8
        for node in graph.node:
            if node.op_type == "Constant" and "layer.1/attention/self" in node.output[0]:
                tensor = node.attribute[0].t
                if numpy_helper.to_array(tensor).tolist() in ([4], [8]):
                    changed = {4: 2, 8: 16}[numpy_helper.to_array(tensor).item()]
                    tensor.CopyFrom(numpy_helper.from_array(np.array([changed])))

    folder = edited(plain, tmp_path / "b", hide)
    assert "does not say the number of heads" in refusal(folder, tmp_path / "c")


def test_layer_norms_of_several_epsilons_are_refused(plain, tmp_path):
    import numpy as np
    from onnx import numpy_helper

    def change(graph):
        node = next(each for each in graph.node if "layer.1/output/LayerNorm/Constant_1" in each.output[0])
        node.attribute[0].t.CopyFrom(numpy_helper.from_array(np.float32(1e-3)))

    folder = edited(plain, tmp_path / "b", change)
    assert "has 5 layer norms with the epsilons" in refusal(folder, tmp_path / "c")


def test_another_tokenizer_than_berts_is_refused(plain, tmp_path):
    folder = edited(plain, tmp_path / "b", tokenizer={"normalizer": {"type": "Lowercase"}})
    assert "with the normalizer Lowercase; wanted is a BERT's, BertNormalizer" in refusal(folder, tmp_path / "c")


def test_an_encoder_that_pools_in_its_graph_is_refused(plain, tmp_path):
    folder = edited(plain, tmp_path / "b", pooling="graph")
    assert "pools in its graph" in refusal(folder, tmp_path / "c")


def test_a_recipe_trains_from_an_imported_encoder(plain, tmp_path):
    from hybridrank.training.neural import trainer
    from hybridrank.training.neural.lists import RankedList
    from hybridrank.training.neural.package import package, save_transformers
    from hybridrank.training.neural.recipe import Recipe
    from hybridrank.training.neural.students import open_student

    texts = ("a rank", "the search engine", "what is it")
    lists = [RankedList(f"q{each}", f"query {each}", ("a", "b", "c"), texts, (1, 0, 0)) for each in range(4)]
    source = {"lists": "made.jsonl"}
    recipe = Recipe.model_validate(
        {
            "name": "mine",
            "kind": "encoder",
            "student": {"base": str(plain), "max_tokens": 32},
            "train": [source],
            "dev": [source],
            "losses": [{"name": "lce"}],
            "schedule": {"batch": 2, "threads": 1},
        }
    )
    model, tokenizer, reading = open_student(recipe, ())
    run = trainer.make_trainer(recipe, model, tokenizer, lists, lists, tmp_path, reading=reading, max_steps=2)
    trainer.run(run, lambda _: None)
    assert run.state.global_step == 2
    written = save_transformers(run.model, tokenizer, recipe, reading, tmp_path / "transformers")
    trained, _ = package(written, recipe, lists, tmp_path / "model")
    assert (trained.info.pooling, trained.info.query_prefix, trained.info.max_tokens) == ("cls", "query ", 32)
