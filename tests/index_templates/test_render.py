import pytest

from hybridrank.index_templates import IndexDefinition, changes, dimensions_of, render

ENGINES = ("opensearch", "elasticsearch")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_template_is_filled_in_for_one_index(engine):
    body = render(engine, "docs", IndexDefinition(384, ("title", "text", "tags")))
    properties = body["template"]["mappings"]["properties"]
    assert body["index_patterns"] == ["docs"]
    assert dimensions_of(engine, properties) == 384
    assert {name: each["analyzer"] for name, each in properties.items() if each["type"] == "text"} == {
        "title": "passage",
        "text": "passage",
        "tags": "passage",
    }
    assert properties["token_vectors"] == {"type": "binary"}
    assert body["template"]["settings"]["index"]["similarity"]["default"] == {"type": "BM25", "k1": 1.2, "b": 0.75}


@pytest.mark.parametrize("engine", ENGINES)
def test_without_a_language_no_analyzer_is_defined(engine):
    body = render(engine, "docs", IndexDefinition(3, language="standard"))
    assert "analysis" not in body["template"]["settings"]
    assert body["template"]["mappings"]["properties"]["text"] == {"type": "text", "analyzer": "standard"}


@pytest.mark.parametrize(("engine", "kind"), [("opensearch", "flat_object"), ("elasticsearch", "flattened")])
def test_an_object_is_one_field_unless_its_keys_are_asked_for(engine, kind):
    def mapped(definition):
        return [*render(engine, "docs", definition)["template"]["mappings"]["dynamic_templates"]]

    (objects, *others) = mapped(IndexDefinition(3))
    assert objects["objects_are_flat"]["mapping"]["type"] == kind
    assert mapped(IndexDefinition(3, objects="fields")) == others


def test_rendering_twice_gives_two_bodies():
    first, second = (render("opensearch", "docs", IndexDefinition(3)) for _ in range(2))
    first["template"]["mappings"]["properties"].clear()
    assert second["template"]["mappings"]["properties"]


def test_the_servers_form_of_a_template_is_no_change():
    """Servers nest analysis under `index` and turn numbers and booleans into strings."""
    wanted = {"settings": {"index": {"shards": 1, "knn": True}, "analysis": {"filter": {"f": {"min": 2}}}}}
    nested = {"shards": "1", "knn": "true", "analysis": {"filter": {"f": {"min": "2"}}}}
    stored = {"settings": {"index": nested}}
    assert changes({"template": stored}, {"template": wanted}) == ()


def test_changes_are_the_lines_of_a_diff():
    before = {"version": 1, "template": {"settings": {"index": {"shards": "1"}}}}
    after = {"version": 2, "template": {"settings": {"index": {"shards": 3}}}}
    assert changes(before, after) == (
        "-template.settings.index.shards = 1",
        "+template.settings.index.shards = 3",
        "-version = 1",
        "+version = 2",
    )
    assert all(line.startswith("+") for line in changes(None, after))
