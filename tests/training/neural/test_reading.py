"""A student pools, and reads prefixes, as its base does unless the recipe says otherwise."""

import json

import pytest

pytestmark = pytest.mark.torch
QUERY, TEXTS = "what is a search engine", ("the rank of the passage", "search engines rank passages", "of what")
PREFIXES = {"query_prefix": "query ", "document_prefix": "passage "}


def base(folder, pooling):
    """A small encoder in the layout of sentence-transformers."""
    from hybridrank.model_files.model_folder import EncoderToml
    from hybridrank.training.onnx.transformers_files import write_sentence_transformers
    from tests.training import tiny_berts

    tiny_berts.save(folder, "encoder", seed=5)
    fields = {"name": "base", "version": "1", "licence": "MIT", "precision": "fp32", "max_tokens": 48, "dimensions": 32}
    write_sentence_transformers(folder, EncoderToml(**fields, **PREFIXES, pooling=pooling))
    return folder


def opened(folder, **student):
    """The student of a recipe for vectors."""
    from hybridrank.training.neural.recipe import Recipe
    from hybridrank.training.neural.students import open_student

    parts = {"train": [{"collection": "menu"}], "dev": [{"collection": "menu"}], "losses": [{"name": "lce"}]}
    recipe = {"name": "mine", "kind": "encoder", "student": {"base": str(folder), **student}, **parts}
    return open_student(Recipe.model_validate(recipe), ())


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_training_scores_as_sentence_transformers_does(pooling, tmp_path):
    import torch
    from sentence_transformers import SentenceTransformer

    from hybridrank.training.neural.lists import RankedList
    from hybridrank.training.neural.vectors import SCALE, Vectors

    model, tokenizer, reading = opened(base(tmp_path, pooling))
    vectors = Vectors(tokenizer, 48, reading, ["vectors"])
    ranked = RankedList("q1", QUERY, ("a", "b", "c"), TEXTS, (1, 0, 0), {}, "menu")
    with torch.inference_mode():
        scores = vectors.compare(model.eval(), vectors([ranked])).scores["vectors"].own[0] / SCALE
    peer = SentenceTransformer(str(tmp_path), device="cpu")
    wanted = peer.encode(TEXTS, prompt_name="document") @ peer.encode(QUERY, prompt_name="query")
    assert scores.tolist() == pytest.approx(wanted.tolist(), abs=1e-5)


def test_a_recipe_replaces_the_pooling_and_prefixes_of_its_base(tmp_path):
    from hybridrank.training.neural.reading import Reading

    folder = base(tmp_path, "cls")
    assert opened(folder)[2] == Reading("cls", **PREFIXES)
    assert opened(folder, pooling="mean", query_prefix="")[2] == Reading("mean", "", "passage ")


def test_a_pooling_that_training_lacks_has_to_be_replaced(tmp_path):
    from hybridrank.training.neural.errors import RecipeError
    from hybridrank.training.neural.reading import Reading

    folder = base(tmp_path, "mean")
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(RecipeError, match=r" pools by max.*say which in student\.pooling"):
        opened(folder)
    assert opened(folder, pooling="cls")[2] == Reading("cls", **PREFIXES)


def test_a_module_behind_the_pooling_is_not_left_out_silently(tmp_path):
    from hybridrank.training.neural.errors import RecipeError

    folder = base(tmp_path, "mean")
    modules = json.loads((folder / "modules.json").read_text())
    modules.insert(2, {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(RecipeError, match="has a Dense module"):
        opened(folder)


def test_lower_casing_that_a_tokenizer_lacks_is_not_left_out(tmp_path):
    from hybridrank.training.neural.errors import RecipeError

    folder = base(tmp_path, "mean")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48, "do_lower_case": True}))
    assert opened(folder)[2].pooling == "mean"  # BERT's tokenizer lowers them itself
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    about = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(about | {"do_lower_case": False}))
    with pytest.raises(RecipeError, match="lowers texts"):
        opened(folder)


def test_a_cross_encoder_takes_no_pooling():
    from hybridrank.training.neural.recipe import Recipe

    parts = {"train": [{"collection": "menu"}], "dev": [{"collection": "menu"}], "losses": [{"name": "lce"}]}
    with pytest.raises(ValueError, match=r"student\.pooling is for encoders"):
        Recipe.model_validate({"name": "mine", "student": {"base": "x", "pooling": "cls"}, **parts})
