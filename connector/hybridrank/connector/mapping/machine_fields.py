"""Fields of a stored document for machines: vectors of all kinds, passages, the id as a column."""

from base64 import b64encode
from typing import Any

from hybridrank.connector.mapping.byte_vectors import as_bytes
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.types import Document, Vector
from hybridrank.index_templates import ID_FIELD
from hybridrank.index_templates.sparse import SPARSE
from hybridrank.index_templates.vectors import PASSAGES

__all__ = ["machine_fields"]


def machine_fields(document: Document, mapped: Fields) -> dict[str, Any]:
    """Returns the machine fields of one document, as the index stores them."""

    def stored(name: str, vector: Vector) -> list[float]:
        return list(as_bytes(vector) if mapped.held.get(name) == "byte" else vector)

    vectors = dict(document.vectors) | ({"vector": document.vector} if document.vector else {})
    packed = {"token_vectors": b64encode(document.token_vectors).decode()} if document.token_vectors else {}
    passages = [{"text": text, "vector": stored(f"{PASSAGES}.vector", vector)} for text, vector in document.passages]
    return (
        {name: stored(name, vector) for name, vector in vectors.items()}
        | packed
        | ({PASSAGES: passages} if passages else {})
        | ({SPARSE: dict(document.sparse)} if document.sparse else {})
        | ({ID_FIELD: document.doc_id} if mapped.has_ids else {})
    )
