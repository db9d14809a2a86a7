"""Storage of vectors in an index: as floats, or smaller, which lowers ranking quality. Pure.

docs/vectors.md has the measured cost of each kind.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from hybridrank.common.versions import major_minor

__all__ = [
    "PASSAGES",
    "TOKEN_VECTORS",
    "VECTOR_KINDS",
    "Engine",
    "VectorKind",
    "dimensions_of",
    "held",
    "lacks",
    "vector_field",
    "vector_properties",
]

Engine: TypeAlias = Literal["opensearch", "elasticsearch"]
VectorKind: TypeAlias = Literal["float", "byte", "int8", "int4", "bbq", "on_disk"]
"""`float`: unchanged. `byte`: rounded by hybridrank, nothing else is stored. `int8`, `int4`, `bbq` (one bit per
dimension): rounded by the engine, which keeps the floats to rescore the nearest. `on_disk`: one bit, with little
memory."""

VECTOR_KINDS: tuple[VectorKind, ...] = get_args(VectorKind)

PASSAGES = "passages"
"""The nested field of the passages of long documents, each with its `text` and `vector`."""

TOKEN_VECTORS = "token_vectors"  # noqa: S105
"""The binary field of a document's packed token vectors."""

_DIMENSIONS_KEY = {"opensearch": "dimension", "elasticsearch": "dims"}
_HNSW = {"m": 16, "ef_construction": 100}
# https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/dense-vector
_ELASTICSEARCH_TYPES = {"int8": "int8_hnsw", "int4": "int4_hnsw", "bbq": "bbq_hnsw", "on_disk": "bbq_disk"}
_SINCE: Mapping[Engine, Mapping[VectorKind, tuple[int, int]]] = {
    "opensearch": {"float": (2, 0), "byte": (2, 9), "int8": (2, 17), "on_disk": (2, 17)},
    "elasticsearch": {
        "float": (8, 0),
        "byte": (8, 6),
        "int8": (8, 12),
        "int4": (8, 15),
        "bbq": (8, 18),
        "on_disk": (9, 2),
    },
}
_LEAST_FOR_BITS = 64  # dimensions: Elasticsearch refuses bits for shorter vectors


def vector_field(engine: Engine, dimensions: int, kind: VectorKind = "float") -> dict[str, Any]:
    """Returns the mapping of a vector field with cosine similarity."""
    if engine == "elasticsearch":
        return {
            "type": "dense_vector",
            _DIMENSIONS_KEY[engine]: dimensions,
            "index": True,
            "similarity": "cosine",
            **({"element_type": "byte"} if kind == "byte" else {}),
            "index_options": {"type": "bbq_disk"}
            if kind == "on_disk"
            else {"type": _ELASTICSEARCH_TYPES.get(kind, "hnsw"), **_HNSW},
        }
    field = {"type": "knn_vector", _DIMENSIONS_KEY[engine]: dimensions, "space_type": "cosinesimil"}
    if kind == "on_disk":  # faiss, the only engine with so much compression; it chooses its own parameters
        return {**field, "mode": "on_disk", "compression_level": "32x"}
    if kind == "int8":  # "on_disk" only means that the nearest are rescored: lucene's 7 bits alone lose a lot
        field |= {"mode": "on_disk", "compression_level": "4x"}
    method = {"name": "hnsw", "engine": "lucene", "parameters": _HNSW}
    return {**field, **({"data_type": "byte"} if kind == "byte" else {}), "method": method}


def vector_properties(
    engine: Engine,
    dimensions: int,
    kind: VectorKind = "float",
    *,
    more: Mapping[str, int] | None = None,
    passage_text: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns the vector fields of an index: `vector`, and those in `more`, name → dimensions.

    With `passage_text`, the mapping of a passage's text, each passage of a document has a vector, instead of the
    document.
    """
    others = {name: vector_field(engine, length, kind) for name, length in (more or {}).items()}
    if passage_text is None:
        return {"vector": vector_field(engine, dimensions, kind), **others}
    inner = {"text": dict(passage_text), "vector": vector_field(engine, dimensions, kind)}
    return {PASSAGES: {"type": "nested", "properties": inner}, **others}


def dimensions_of(engine: Engine, properties: Mapping[str, Any]) -> int | None:
    """Returns the vector length of an existing index, from its mapping; None if it has no vector field."""
    inner = properties.get(PASSAGES, {}).get("properties", {})
    dimensions: int | None = (properties.get("vector") or inner.get("vector") or {}).get(_DIMENSIONS_KEY[engine])
    return dimensions


def held(field: Mapping[str, Any]) -> Literal["float", "byte", "rounded"]:
    """Returns how the field of this mapping stores vectors; "rounded": by the engine, which also keeps the floats.

    >>> held({"type": "dense_vector", "index_options": {"type": "bbq_hnsw"}})
    'rounded'
    """
    if str(field.get("element_type") or field.get("data_type")).lower() == "byte":
        return "byte"
    kind = field.get("index_options", {}).get("type", "")
    method = field.get("method", {}).get("parameters", {})
    if kind.startswith(("int8", "int4", "bbq")) or "encoder" in method or field.get("mode") == "on_disk":
        return "rounded"
    return "float"


def lacks(engine: Engine, version: str, dimensions: int, kind: VectorKind) -> str:
    """Returns a sentence on why a server cannot store this kind of vectors; empty if it can.

    >>> lacks("opensearch", "3.6.0", 384, "int4")
    'OpenSearch 3.6.0 has no vectors of kind int4; it has float, byte, int8, on_disk'
    """
    name = {"opensearch": "OpenSearch", "elasticsearch": "Elasticsearch"}[engine]
    number = major_minor(version)
    known = [each for each, since in _SINCE[engine].items() if number >= since]
    if kind not in known:
        return f"{name} {version} has no vectors of kind {kind}; it has {', '.join(known)}"
    if engine == "elasticsearch" and kind in ("bbq", "on_disk") and dimensions < _LEAST_FOR_BITS:
        return f"vectors of {dimensions} dimensions are too short for kind {kind}, which wants {_LEAST_FOR_BITS}"
    if kind == "int4" and dimensions % 2:
        return f"kind int4 wants an even number of dimensions, not {dimensions}"
    return ""
