"""Effects of the text options of `hybridrank index`."""

import pytest
import typer

from hybridrank.cli.options.index import text_definition
from hybridrank.index_templates import IndexDefinition


def test_the_defaults_are_those_of_a_definition():
    assert text_definition("english", None, None, None, "flat") == IndexDefinition()


def test_every_option_has_its_place(tmp_path):
    rules = tmp_path / "rules.txt"
    rules.write_text("# drinks\ntea, chai\n", encoding="utf-8")
    assert text_definition(
        "de", ["exact", "exact"], ["title=2", "title.exact=0.5"], rules, "fields"
    ) == IndexDefinition(
        language="german",
        subfields=("exact",),
        boosts={"title": 2.0, "title.exact": 0.5},
        synonyms=("tea, chai",),
        objects="fields",
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("klingon", None, None), "no analysis for 'klingon'; there is for english, german"),
        (("en", ["stem"], None), "'stem' is none of exact, prefix"),
        (("en", None, ["title"]), "'title' is not FIELD=FACTOR"),
        (("en", None, ["title=0"]), "'title=0' is not FIELD=FACTOR"),
        (("en", None, ["title.exact=2"]), r"no text field 'title\.exact', but title, text"),
    ],
)
def test_a_wrong_option_is_refused_with_the_reason(options, said):
    with pytest.raises(typer.BadParameter, match=said):
        text_definition(*options, None, "flat")
