import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.index_templates import IndexDefinition, carried_over, fitting, noted, render
from hybridrank.index_templates.analysis import lacks, probes, synonym_rules, trial
from hybridrank.index_templates.languages import LANGUAGES, language_named

ENGINES = ("opensearch", "elasticsearch")
DEFINITIONS = st.builds(
    IndexDefinition,
    dimensions=st.just(3),
    language=st.sampled_from(list(LANGUAGES)),
    subfields=st.sampled_from([(), ("exact",), ("prefix",), ("exact", "prefix")]),
    synonyms=st.sampled_from([(), ("tea, chai",)]),
)


@given(st.sampled_from(ENGINES), DEFINITIONS)
def test_every_name_that_a_template_uses_is_one_that_it_defines(engine, definition):
    """Or one that servers have: lower case, their own `standard`, and the normalisers of single languages."""
    template = render(engine, "docs", definition)["template"]
    analysis = template["settings"].get("analysis", {})
    analyzers, filters = analysis.get("analyzer", {}), analysis.get("filter", {})
    fields = template["mappings"]["properties"]
    texts = [fields[name] for name in definition.text_fields]
    texts += [each for text in texts for each in text.get("fields", {}).values()]
    used = {text[key] for text in texts for key in ("analyzer", "search_analyzer") if key in text}
    assert used - {"standard"} == set(analyzers)
    named = [name for each in analyzers.values() for name in each["filter"]]
    known = {"lowercase", "german_normalization", "cjk_width", "cjk_bigram"}
    assert set(named) - known == set(filters)


def test_synonyms_are_read_before_words_are_cut():
    filters = trial("german", ["tee, chai"])["filter"]
    place = [isinstance(each, dict) and each["type"] == "synonym_graph" for each in filters].index(True)
    assert filters[:place] == ["lowercase"]
    assert [each if isinstance(each, str) else each["type"] for each in filters[place + 1 :]] == [
        "stop",
        "german_normalization",
        "stemmer",
    ]


@pytest.mark.parametrize(("said", "language"), [("de", "german"), ("German", "german"), ("cjk", "cjk")])
def test_a_language_has_a_name_and_a_code(said, language):
    assert language_named(said) == language


def test_an_unknown_language_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="no analysis for 'klingon'; there is for english, german"):
        language_named("klingon")


def test_analysis_that_a_server_lacks_is_left_out():
    asked = IndexDefinition(3, language="german", subfields=("exact", "prefix"))
    fitted = fitting(asked, {"english"})
    assert (fitted.language, fitted.subfields) == ("standard", ("exact",))
    assert fitting(asked, set(probes())) == asked
    assert len(lacks("german", asked.subfields, {"english"})) == 2
    assert lacks("german", asked.subfields, set(probes())) == lacks("standard", (), ()) == ()


def test_options_left_open_keep_the_templates_values():
    before = render("opensearch", "docs", IndexDefinition(3, boosts={"title": 2.0}, synonyms=("a, b",)))
    settings = before["template"]["settings"]
    settings["index"]["analysis"] = settings.pop("analysis")  # where servers tell it
    kept = carried_over(IndexDefinition(3), before)
    assert (kept.synonyms, kept.searched) == (("a, b",), {"title": 2.0, "text": 1.0})
    said = carried_over(IndexDefinition(3, boosts={"text": 3.0}, synonyms=("c, d",)), before)
    assert (said.synonyms, said.searched) == (("c, d",), {"title": 1.0, "text": 3.0})
    assert carried_over(IndexDefinition(3), None) == IndexDefinition(3)


def test_a_template_notes_what_searches_go_by():
    body = render("elasticsearch", "docs", IndexDefinition(3, ("name",), "french", boosts={"name.exact": 0.5}))
    assert noted(body["template"]["mappings"]) == {"language": "french", "boosts": {"name": 1.0, "name.exact": 0.5}}


def test_rules_keep_the_numbers_of_their_lines():
    assert synonym_rules("# drinks\ntea, chai\n\n  brew => tea  \n") == {2: "tea, chai", 4: "brew => tea"}
