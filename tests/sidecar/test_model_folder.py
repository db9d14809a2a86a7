"""A model folder is read whole, or refused with what is wrong and where."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hybridrank.model_files import model_folder
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.token_codec import CODEC, ResidualCodec
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models.scan import scan
from hybridrank.training.neural.recipe import load_recipe
from tests.golden.sidecar import FOLDER

RECIPES = Path(__file__).parents[2] / "training/hybridrank/training/recipes"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FOLDER / "tiny-encoder", tmp_path / "tiny-encoder")


def edit(folder, old, new):
    toml = folder / "model.toml"
    assert old in toml.read_text()
    toml.write_text(toml.read_text().replace(old, new))


def test_model_folders_round_trip(folder):
    toml = model_folder.read(folder).toml.model_copy(update={"version": "2", "query_prefix": 'say "é\\n": '})
    assert model_folder.write(folder, toml) == model_folder.read(folder)


def test_info_is_what_the_toml_says(folder):
    info = model_folder.read(folder).info
    assert (info.name, info.kind, info.precision, info.dimensions) == ("tiny-encoder", "encoder", "fp32", 32)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_changed_file_is_refused(folder, name):
    with (folder / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(BadModelFolder, match=r"files have digest \w{64} but model.toml says \w{64}"):
        model_folder.read(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"mean"', '"cls"'), ("max_tokens = 48", "max_tokens = 32"), ('query_prefix = ""', 'query_prefix = "query: "')],
)
def test_a_changed_field_that_decides_the_output_is_refused(folder, old, new):
    edit(folder, old, new)
    with pytest.raises(BadModelFolder, match="files have digest"):
        model_folder.read(folder)


def test_a_model_may_be_renamed(folder):
    edit(folder, 'name = "tiny-encoder"', 'name = "mine"')
    assert model_folder.read(folder).info.name == "mine"


def test_a_folder_may_recommend_a_blend_weight(folder):
    assert model_folder.read(folder).info.blend_weight is None
    edit(folder, 'name = "tiny-encoder"', 'name = "tiny-encoder"\nblend_weight = 0.3')
    assert model_folder.read(folder).info.blend_weight == 0.3
    for wrong in ("0", "1.5", '"half"'):
        toml = (folder / "model.toml").read_text()
        (folder / "model.toml").write_text(toml.replace("blend_weight = 0.3", f"blend_weight = {wrong}"))
        with pytest.raises(BadModelFolder, match="blend_weight"):
            model_folder.read(folder)
        (folder / "model.toml").write_text(toml)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BadModelFolder, match=f"{name} is missing"):
        model_folder.read(folder)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('kind = "encoder"', 'kind = "oracle"', "kind is 'oracle'; it must be one of encoder, cross-encoder"),
        ('pooling = "mean"', 'pooling = "median"', "pooling: Input should be 'mean', 'cls', 'last' or 'graph'"),
        ('version = "1"', 'versions = "1"', "version: Field required"),
        ('version = "1"', 'version = "1"\ncolour = "red"', "colour: Extra inputs are not permitted"),
        ('version = "1"', "version = 1", "version: Input should be a valid string"),
        ('version = "1"', 'version = "1"\nlanguages = ["English"]', "languages.0: String should match pattern"),
        ('version = "1"', "version = ", "model.toml cannot be read"),
        ('name = "tiny-encoder"', 'name = "tiny:encoder"', "name: is no name: a space and : , = +"),
        ("aliases = []", 'aliases = ["tiny model"]', "aliases.0: is no name"),
    ],
)
def test_a_wrong_field_is_named(folder, old, new, problem):
    edit(folder, old, new)
    with pytest.raises(BadModelFolder) as refused:
        model_folder.read(folder)
    assert problem in str(refused.value)
    assert str(folder) in str(refused.value)


@pytest.mark.parametrize("name", ["cross-encoder", "nano"])
def test_the_recipe_recommends_what_the_shipped_folder_does(name):
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    info = model_folder.read(SHIPPED_MODELS / recipe.name).info
    assert (recipe.blend_weight, recipe.aliases) == (info.blend_weight, info.aliases)


def test_every_shipped_model_has_a_card_with_name_and_licence():
    folders = [found.path for found in scan([SHIPPED_MODELS])]
    assert {folder.name for folder in folders} >= {"cross-encoder-minilm-l6", "cross-encoder-nano", "encoder-minilm-l6"}
    for folder in folders:
        toml = model_folder.read(folder).toml
        card = (folder / "README.md").read_text()
        assert toml.name in card
        assert toml.licence in card
        assert str(toml.max_tokens) in card
        assert toml.languages == ("en",)
        assert "English" in card


def test_the_shipped_codec_is_of_the_shipped_encoder_and_small():
    folder = SHIPPED_MODELS / "encoder-minilm-l6"
    codec = ResidualCodec.load(folder / CODEC)
    toml = model_folder.read(folder).toml
    assert (codec.model_digest, codec.dimensions, codec.bits) == (toml.digest, toml.dimensions, 2)
    assert (folder / CODEC).stat().st_size < 1_000_000
    assert codec.digest[:12] in (folder / "README.md").read_text()


@pytest.fixture
def both(folder):
    """int8, as far as model.toml goes, and the fp32 that it came from."""
    toml = model_folder.read(folder).toml
    shutil.copyfile(folder / "model.onnx", folder / "model.fp32.onnx")
    model_folder.write(folder, toml.model_copy(update={"precision": "int8", "reduced_range": True}))
    return folder


def test_a_precision_has_the_digest_of_a_folder_of_its_own(both):
    alone = model_folder.read(FOLDER / "tiny-encoder").info
    int8 = model_folder.read(both)
    assert int8.fp32.info == replace(alone, comparable_digests=(int8.info.digest,))
    assert int8.info.comparable_digests == (alone.digest,)
    assert (int8.info.precision, int8.onnx.name, int8.fp32.onnx.name) == ("int8", "model.onnx", "model.fp32.onnx")
    (both / "model.fp32.onnx").unlink()
    assert model_folder.write(both, int8.toml).info == replace(int8.info, comparable_digests=())
    assert model_folder.read(both).fp32 is None


def test_each_graph_is_verified(both):
    with (both / "model.fp32.onnx").open("ab") as file:
        file.write(b" ")
    with pytest.raises(BadModelFolder, match=r"model\.toml says \w{64} of model\.fp32\.onnx"):
        model_folder.read(both)


def test_fp32_that_model_toml_does_not_know_is_refused(both):
    fp32_digest = model_folder.read(both).toml.fp32_digest
    edit(both, fp32_digest, "")
    with pytest.raises(BadModelFolder, match=r"model\.toml says nothing of model\.fp32\.onnx"):
        model_folder.read(both)


def test_fp32_that_is_missing_is_named(both):
    (both / "model.fp32.onnx").unlink()
    with pytest.raises(BadModelFolder, match=r"model\.fp32\.onnx is missing; fetch it, or take fp32_digest out"):
        model_folder.read(both)


def test_fp32_beside_fp32_is_refused(folder):
    shutil.copyfile(folder / "model.onnx", folder / "model.fp32.onnx")
    with pytest.raises(BadModelFolder, match="belongs beside an int8"):
        model_folder.read(folder)
