"""The model text of a stored document, the same for vectors and reranking."""

from collections.abc import Mapping, Sequence
from typing import Any

from hybridrank.common.field_paths import field_values
from hybridrank.index_templates import DEFAULT_BOOSTS

__all__ = ["DEFAULT_FIELDS", "passage_text"]

DEFAULT_FIELDS = tuple(DEFAULT_BOOSTS)


def passage_text(source: Mapping[str, Any], fields: Sequence[str] = DEFAULT_FIELDS) -> str:
    """Joins the values of `fields`, in order, one line each; a missing field is left out.

    >>> passage_text({"title": "Tea", "text": "Leaves in hot water."})
    'Tea\\nLeaves in hot water.'
    >>> passage_text({"book": {"title": "Tea", "by": [{"id": "Ann"}, {"id": "Bo"}]}}, ["book.title", "book.by.id"])
    'Tea\\nAnn Bo'
    """
    lines = (" ".join(str(value) for value in field_values(source, field) if value) for field in fields)
    return "\n".join(filter(None, lines))
