"""Models answer to their name, name:version and aliases, and are tried before they serve."""

import shutil

import pytest

from sidecar import registry
from sidecar.errors import BadModelFolder, InvalidArgument, ModelNotFound
from sidecar.rerankers.token_overlap import TokenOverlapReranker
from sidecar.runtime import model_folder
from tests.golden.sidecar import FOLDER
from tests.sidecar.doubles import BrokenModel, loaded


def test_a_model_answers_to_name_version_and_aliases(shipped):
    words = ("encoder-minilm-l6", "encoder-minilm-l6:1", "encoder", "colbert")
    assert len({shipped.get(word).info.digest for word in words}) == 1


def test_an_unknown_model_is_named_beside_those_loaded(shipped):
    with pytest.raises(ModelNotFound, match=r"'bert' is not loaded; loaded are .*cross-encoder.*colbert"):
        shipped.get("bert")


def test_a_model_must_be_asked_for(shipped):
    with pytest.raises(InvalidArgument, match="model: is empty; loaded are"):
        shipped.get("")


def test_a_cross_encoder_does_not_encode(shipped):
    with pytest.raises(InvalidArgument, match="cross-encoder is a cross-encoder; encoders are encoder-minilm-l6"):
        shipped.encoder("cross-encoder")


def test_two_models_must_not_answer_to_one_word():
    with pytest.raises(ValueError, match="two models answer to 'token-overlap'"):
        registry.Models([loaded(TokenOverlapReranker()), loaded(TokenOverlapReranker())])


def copy(tmp_path, **fields):
    folder = shutil.copytree(FOLDER / "tiny-encoder", tmp_path / "copy")
    model_folder.write(folder, model_folder.read(folder).toml.model_copy(update=fields))
    return folder


def test_an_encoder_of_other_dimensions_than_it_says_is_refused(tmp_path):
    with pytest.raises(BadModelFolder, match=r"vectors of shape \(2, 32\) came back.*model\.toml says \(2, 64\)"):
        registry.load([copy(tmp_path, dimensions=64)])


def test_a_graph_of_the_wrong_kind_is_refused(tmp_path):
    folder = shutil.copytree(FOLDER / "tiny-encoder", tmp_path / "copy")
    fields = model_folder.read(folder).toml.model_dump(
        include={"name", "version", "precision", "max_tokens", "licence"}
    )
    model_folder.write(folder, model_folder.CrossEncoderToml(**fields))
    with pytest.raises(BadModelFolder, match=r"model\.onnx has no output logits; it has last_hidden_state"):
        registry.load([folder])


def test_a_model_that_returns_nan_fails_the_self_check():
    assert "scores [" in str(registry.self_check(loaded(BrokenModel())))


def test_a_model_that_works_passes_the_self_check(shipped):
    assert [registry.self_check(model) for model in shipped] == [None, None]
