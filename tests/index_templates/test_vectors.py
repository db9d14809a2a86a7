"""The mapping of each kind of vectors, and which server has it."""

import pytest

from hybridrank.index_templates import IndexDefinition, render
from hybridrank.index_templates.vectors import VECTOR_KINDS, dimensions_of, held, lacks, vector_field, vector_properties

ENGINES = ("opensearch", "elasticsearch")
TEXT = {"type": "text", "analyzer": "passage"}


def test_elasticsearch_has_an_index_type_for_each_kind():
    types = {kind: vector_field("elasticsearch", 64, kind)["index_options"]["type"] for kind in VECTOR_KINDS}
    assert types == {
        "float": "hnsw",
        "byte": "hnsw",
        "int8": "int8_hnsw",
        "int4": "int4_hnsw",
        "bbq": "bbq_hnsw",
        "on_disk": "bbq_disk",
    }
    assert vector_field("elasticsearch", 64, "byte")["element_type"] == "byte"


def test_opensearch_rounds_in_lucene_and_compresses_in_faiss():
    assert vector_field("opensearch", 64, "int8") == {
        "type": "knn_vector",
        "dimension": 64,
        "space_type": "cosinesimil",
        "mode": "on_disk",
        "compression_level": "4x",
        "method": {"name": "hnsw", "engine": "lucene", "parameters": {"m": 16, "ef_construction": 100}},
    }
    assert vector_field("opensearch", 64, "on_disk") == {
        "type": "knn_vector",
        "dimension": 64,
        "space_type": "cosinesimil",
        "mode": "on_disk",
        "compression_level": "32x",
    }
    assert vector_field("opensearch", 64, "byte")["data_type"] == "byte"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mapping_tells_how_it_holds_vectors(engine):
    as_held = {kind: held(vector_field(engine, 64, kind)) for kind in VECTOR_KINDS if not _lacking(engine, kind)}
    assert as_held.pop("float") == "float"
    assert as_held.pop("byte") == "byte"
    assert set(as_held.values()) == {"rounded"}


def _lacking(engine: str, kind: str) -> str:
    return lacks(engine, {"opensearch": "3.6.0", "elasticsearch": "9.5.3"}[engine], 64, kind)


def test_vector_kinds_that_a_server_lacks_are_named():
    assert lacks("elasticsearch", "8.14.1", 64, "int4") == (
        "Elasticsearch 8.14.1 has no vectors of kind int4; it has float, byte, int8"
    )
    assert "too short" in lacks("elasticsearch", "9.5.3", 63, "bbq")
    assert "even" in lacks("elasticsearch", "9.5.3", 65, "int4")
    assert lacks("opensearch", "3.6.0", 3, "bbq").endswith("it has float, byte, int8, on_disk")
    assert [kind for kind in VECTOR_KINDS if _lacking("opensearch", kind)] == ["int4", "bbq"]
    assert not any(_lacking("elasticsearch", kind) for kind in VECTOR_KINDS)


@pytest.mark.parametrize("engine", ENGINES)
def test_passages_have_the_vector_in_place_of_the_document(engine):
    fields = vector_properties(engine, 8, passage_text=TEXT, more={"title_vector": 8})
    assert set(fields) == {"passages", "title_vector"}
    assert fields["passages"] == {"type": "nested", "properties": {"text": TEXT, "vector": vector_field(engine, 8)}}
    assert dimensions_of(engine, fields) == 8
    definition = IndexDefinition(8, passages=True, vector_fields={"title_vector": 8})
    properties = render(engine, "docs", definition)["template"]["mappings"]["properties"]
    assert {name: properties[name] for name in fields} == fields
    assert "vector" not in properties
