"""Findings of doctor about an index and the models of a sidecar: the encoder of its vectors, and its language."""

import pytest

from hybridrank.cluster_setup.index_findings import encoder_findings, language_findings
from hybridrank.connector import ModelInfo
from hybridrank.connector.mapping.fields import Fields
from hybridrank.index_templates import EncoderNote
from hybridrank.index_templates.languages import language_lack

MINILM = ModelInfo(
    name="minilm",
    version="2",
    kind="encoder",
    digest="aa",
    precision="int8",
    max_tokens=256,
    dimensions=384,
    aliases=("encoder",),
    languages=("en",),
)
NANO = ModelInfo(
    name="nano",
    version="2",
    kind="cross-encoder",
    digest="bb",
    precision="int8",
    max_tokens=128,
    dimensions=0,
    aliases=(),
    languages=("de", "en"),
)
M3 = ModelInfo(
    name="m3",
    version="1",
    kind="cross-encoder",
    digest="cc",
    precision="int8",
    max_tokens=512,
    dimensions=0,
    aliases=(),
    languages=("*",),
)
FOREST = ModelInfo(
    name="forest", version="1", kind="lambdamart", digest="dd", precision="fp64", max_tokens=0, dimensions=0, aliases=()
)


def test_each_index_behind_a_name_is_told_of():
    fields = Fields(
        encoders={
            "docs": {"vector": MINILM.encoder},
            "old": {"vector": EncoderNote("bge", "ee")},
            "foreign": {"title_vector": None},
        }
    )
    found = {each.subject: each for each in encoder_findings("docs", fields, [NANO, MINILM])}
    assert {subject: each.state for subject, each in found.items()} == {
        "index docs": "ok",
        "index old behind docs": "problem",
        "index foreign behind docs": "note",
    }
    assert "vectors of bge (digest ee), and the sidecar's encoder is minilm" in found["index old behind docs"].detail
    assert "hybridrank index encoder foreign --field title_vector" in found["index foreign behind docs"].advice


def test_without_an_encoder_there_is_nothing_to_hold_against():
    assert not [*encoder_findings("docs", Fields(encoders={"docs": {"vector": None}}), [NANO])]


def test_models_that_never_saw_the_language_are_named():
    found = [*language_findings("docs", Fields(language="french"), [MINILM, NANO, M3, FOREST])]
    assert [(each.state, each.detail) for each in found] == [
        ("note", "the index's texts are french, and minilm was trained on en alone"),
        ("note", "the index's texts are french, and nano was trained on de, en alone"),
    ]
    assert len([*language_findings("docs", Fields(language="german"), [MINILM, NANO])]) == 1


@pytest.mark.parametrize("language", ["english", "standard", ""])
def test_english_and_unknown_languages_give_no_warning(language):
    assert language_lack(language, "minilm", ["en"]) == ""


def test_cjk_wants_chinese_japanese_and_korean():
    assert language_lack("cjk", "minilm", ["zh", "ja"])
    assert not language_lack("cjk", "minilm", ["ko", "zh", "ja"])
