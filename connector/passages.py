"""The text that a model reads of a document: the same for vectors and for reranking."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["DEFAULT_FIELDS", "passage_text"]

DEFAULT_FIELDS = ("title", "text")


def passage_text(source: Mapping[str, Any], fields: Sequence[str] = DEFAULT_FIELDS) -> str:
    """The values of `fields`, in order, a line each; a field that the document lacks is left out.

    >>> passage_text({"title": "Tea", "text": "Leaves in hot water."})
    'Tea\\nLeaves in hot water.'
    """
    return "\n".join(str(source[field]) for field in fields if source.get(field))
