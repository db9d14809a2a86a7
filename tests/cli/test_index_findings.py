"""Findings of doctor about an index and the models of a sidecar: the encoder of its vectors, and its language."""

import pytest

from hybridrank.cli.index_findings import encoder_findings, language_findings
from hybridrank.connector import ModelInfo
from hybridrank.connector.mapping.fields import Fields
from hybridrank.index_templates import EncoderNote
from hybridrank.index_templates.languages import language_lack

MINILM = ModelInfo("minilm", "2", "encoder", "aa", "int8", 256, 384, ("encoder",), languages=("en",))
NANO = ModelInfo("nano", "2", "cross-encoder", "bb", "int8", 128, 0, (), languages=("de", "en"))
M3 = ModelInfo("m3", "1", "cross-encoder", "cc", "int8", 512, 0, (), languages=("*",))
FOREST = ModelInfo("forest", "1", "lambdamart", "dd", "fp64", 0, 0, ())


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
def test_what_is_english_or_not_known_is_not_warned_of(language):
    assert language_lack(language, "minilm", ["en"]) == ""


def test_cjk_wants_chinese_japanese_and_korean():
    assert language_lack("cjk", "minilm", ["zh", "ja"])
    assert not language_lack("cjk", "minilm", ["ko", "zh", "ja"])
