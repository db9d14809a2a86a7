"""Models answer to their name, name:version and aliases; a new version takes the name over in one step."""

import pytest

from hybridrank.sidecar.errors import InvalidArgument, ModelNotFound
from hybridrank.sidecar.models.catalog import Models
from tests.sidecar.doubles import versioned


def test_a_model_answers_to_name_version_and_aliases(shipped):
    words = ("encoder-minilm-l6", "encoder-minilm-l6:2", "encoder", "colbert")
    assert len({shipped.get(word).info.digest for word in words}) == 1


def test_further_names_are_listed_among_the_aliases():
    models = Models(
        [versioned("m", "1", "alias"), versioned("n", "1")], names={"text-embedding": "alias", "later": "o"}
    )
    assert [each.aliases for each in models.infos()] == [("alias", "text-embedding"), ()]


def test_an_unknown_model_is_named_beside_those_loaded(shipped):
    with pytest.raises(ModelNotFound, match=r"'bert' is not loaded; loaded are .*cross-encoder.*colbert"):
        shipped.get("bert")


def test_a_model_must_be_asked_for(shipped):
    with pytest.raises(InvalidArgument, match="model: is empty; loaded are"):
        shipped.get("")


def test_a_cross_encoder_does_not_encode(shipped):
    with pytest.raises(InvalidArgument, match="cross-encoder is a cross-encoder; encoders are encoder-minilm-l6"):
        shipped.encoder("cross-encoder")


def words(models):
    """Returns the model that each name of a set of models leads to."""
    return {word: model.info.version for word, model in models._by_word.items()}


def test_a_new_version_takes_over_the_name_and_its_aliases():
    models = Models([versioned("m", "1", "old", "both"), versioned("other", "7")])
    models.put(versioned("m", "2", "both", "new"))
    assert words(models) == {"m": "2", "m:2": "2", "both": "2", "new": "2", "other": "7", "other:7": "7"}
    assert [model.info.name for model in models] == ["m", "other"]


def test_the_wanted_number_of_older_versions_is_kept():
    models = Models([versioned("m", version, "alias") for version in "1234"], keep_versions=3)
    assert words(models) == {"m": "4", "alias": "4", "m:4": "4", "m:3": "3", "m:2": "2"}
    models.put(models.get("m:3"))  # back to an older one
    assert words(models) == {"m": "3", "alias": "3", "m:3": "3", "m:4": "4", "m:2": "2"}


def test_a_version_put_again_replaces_the_old_one():
    models = Models([versioned("m", "1", "old")], keep_versions=2)
    models.put(versioned("m", "1", "new"))
    assert words(models) == {"m": "1", "m:1": "1", "new": "1"}


def test_a_conflicting_alias_is_refused_and_changes_nothing():
    models = Models([versioned("m", "1"), versioned("n", "1", "alias")])
    for other in (versioned("o", "1", "alias"), versioned("o", "1", "m"), versioned("alias", "1")):
        with pytest.raises(ValueError, match="two models answer to"):
            models.put(other)
    assert words(models) == {"m": "1", "m:1": "1", "n": "1", "n:1": "1", "alias": "1"}


def test_a_name_goes_with_all_versions_and_a_version_alone():
    models = Models([versioned("m", "1"), versioned("m", "2"), versioned("n", "1")], keep_versions=2)
    assert [model.info.version for model in models.remove("m:2")] == ["2"]
    assert words(models) == {"m": "1", "m:1": "1", "n": "1", "n:1": "1"}
    models.put(versioned("m", "3"))
    assert [model.info.version for model in models.remove("m")] == ["3", "1"]
    assert words(models) == {"n": "1", "n:1": "1"}
    for unknown in ("m", "n:2", ""):
        with pytest.raises(ModelNotFound, match="loaded are n, n:1"):
            models.remove(unknown)


def test_further_names_follow_the_model_that_serves():
    models = Models([versioned("m", "1", "alias")], names={"rerank-v3.5": "alias", "later": "n"})
    assert models.get("rerank-v3.5").info.version == "1"
    models.put(versioned("m", "2", "alias"))
    assert models.get("rerank-v3.5").info.version == "2"
    with pytest.raises(ModelNotFound):
        models.get("later")
    models.put(versioned("n", "1"))
    assert models.get("later").info.name == "n"
    models.remove("m")
    with pytest.raises(ModelNotFound):
        models.get("rerank-v3.5")


def test_a_further_name_must_not_be_one_of_a_model():
    models = Models([versioned("m", "1")], names={"taken": "m"})
    with pytest.raises(ValueError, match="the setting names has 'taken', which taken already answers to"):
        models.put(versioned("taken", "1"))
    assert models.get("taken").info.name == "m"


def test_a_further_name_wins_over_an_alias():
    models = Models([versioned("ours", "1", "encoder", "colbert")], names={"encoder": "mine"})
    with pytest.raises(ModelNotFound):
        models.get("encoder")  # never another model's vectors under this name
    models.put(versioned("mine", "1"))
    assert models.get("encoder").info.name == "mine"
    assert {each.name: each.aliases for each in models.infos()} == {"ours": ("colbert",), "mine": ("encoder",)}
