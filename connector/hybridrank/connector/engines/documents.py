"""The documents that engines accept, and the report of writing them. Pure."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from hybridrank.common import json_values
from hybridrank.connector.types import Document, Vector

__all__ = [
    "MAX_ID_BYTES",
    "IndexReport",
    "RejectedDocument",
    "as_json",
    "document_problem",
    "fitting",
    "id_problem",
]

_FLOAT32_MAX = 3.4028234663852886e38
MAX_ID_BYTES = 512
"""Maximum bytes of an id in UTF-8: the limit of both servers, so that an index can move between engines.
"""


@dataclass(frozen=True, slots=True)
class RejectedDocument:
    """A document that the engine refused, with the reason."""

    doc_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Result of writing a batch of documents."""

    indexed: int
    rejected: tuple[RejectedDocument, ...] = ()


def id_problem(doc_id: str) -> str:
    """Returns a sentence on why no engine accepts this id; empty if all do.

    >>> id_problem("é" * 257)
    'the id has 514 bytes in UTF-8, and engines take 512'
    """
    try:
        size = len(doc_id.encode())
    except UnicodeEncodeError:
        return "the id holds half of a surrogate pair, which is no character"
    if not size:
        return "the id is empty"
    return f"the id has {size} bytes in UTF-8, and engines take {MAX_ID_BYTES}" if size > MAX_ID_BYTES else ""


def document_problem(document: Document) -> str:
    """Returns a sentence on why no engine accepts this document, with the field or vector; empty if all do."""
    problem = id_problem(document.doc_id) or json_values.problem(document.source) or _vector_problem(document)
    if problem:
        return problem
    try:
        as_json(dict(document.source))
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def fitting(
    documents: Sequence[Document], own_problem: Callable[[Document], str] = lambda _document: ""
) -> tuple[list[Document], list[RejectedDocument]]:
    """Returns the documents that engines accept, and the others with the reason; an engine may add its own check."""
    problems = [document_problem(each) or own_problem(each) for each in documents]
    pairs = list(zip(documents, problems, strict=True))
    rejected = [RejectedDocument(each.doc_id, problem) for each, problem in pairs if problem]
    return [each for each, problem in pairs if not problem], rejected


def _vector_problem(document: Document) -> str:
    """Names the vector with a number that is missing, not finite or too large for 32 bits; empty if there is none."""
    vectors: dict[str, Vector] = {} if document.vector is None else {"vector": document.vector}
    vectors |= document.vectors
    vectors |= {f"passages[{place}].vector": vector for place, (_, vector) in enumerate(document.passages)}
    for name, vector in vectors.items():
        try:
            fits = all(-_FLOAT32_MAX <= each <= _FLOAT32_MAX for each in vector)  # comparisons with NaN are False
        except TypeError:
            fits = False
        if not fits:
            return f"{name} holds something else than finite 32-bit numbers"
    texts = {f"passages[{place}].text": text for place, (text, _) in enumerate(document.passages)}
    return json_values.problem(texts)


def as_json(value: Any) -> str:
    """Writes JSON for a server. Raises ValueError for NaN, half a surrogate pair, or an object without a JSON form."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    text.encode()  # raises UnicodeEncodeError, which is a ValueError
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, UUID):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return value.tolist()
    raise ValueError(f"a value of type {type(value).__name__} is not JSON")
