"""Storage of sparse vectors in an index: one field of weights by token. Pure."""

from collections.abc import Mapping
from typing import Any

from hybridrank.common.versions import major_minor
from hybridrank.index_templates.vectors import Engine

__all__ = ["FIELD_TYPES", "SPARSE", "lacks_sparse", "sparse_field"]

SPARSE = "sparse_vector"
"""The field of a document's sparse vector."""

FIELD_TYPES = ("rank_features", "sparse_vector")
"""Types of such fields, in the embedded engine too."""

_TYPES: Mapping[Engine, str] = {"opensearch": "rank_features", "elasticsearch": "sparse_vector"}
_SINCE: Mapping[Engine, tuple[int, int]] = {"opensearch": (2, 14), "elasticsearch": (8, 16)}
_REASONS: Mapping[Engine, str] = {
    "opensearch": "its neural_sparse query takes no tokens",
    "elasticsearch": "its sparse_vector field refuses tokens with a dot",
}


def sparse_field(engine: Engine) -> dict[str, Any]:
    """Returns the mapping of a field of sparse vectors."""
    return {"type": _TYPES[engine]}


def lacks_sparse(engine: Engine, version: str) -> str:
    """Returns a sentence on why a server cannot search sparse vectors; empty if it can.

    >>> lacks_sparse("elasticsearch", "8.15.2")
    'Elasticsearch 8.15.2 is too old for sparse vectors: its sparse_vector field refuses tokens with a dot before 8.16'
    """
    since = _SINCE[engine]
    if major_minor(version) >= since:
        return ""
    name = {"opensearch": "OpenSearch", "elasticsearch": "Elasticsearch"}[engine]
    number = ".".join(map(str, since))
    return f"{name} {version} is too old for sparse vectors: {_REASONS[engine]} before {number}"
