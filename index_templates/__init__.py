"""Index templates of each engine: what a passage index needs, filled in for one index."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

__all__ = ["HEAVY_FIELDS", "TEMPLATE_KEYS", "IndexDefinition", "changes", "dimensions_of", "render"]

HEAVY_FIELDS = ("vector", "token_vectors")
"""Fields that are stored for machines and that no search answer needs to carry."""

TEMPLATE_KEYS = ("index_patterns", "priority", "version", "template")
"""What of a template is ours; a server adds its own, such as when it was created."""

_DIMENSIONS_KEY = {"opensearch": "dimension", "elasticsearch": "dims"}


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """What differs from one passage index to the next.

    `dimensions` of a vector; `text_fields` are analysed for BM25, every other string is kept as one keyword.
    `analysis` is "english" (possessives, stop words, Porter 2 stems) or "standard" (words in lower case) where the
    server lacks the English filters.
    """

    dimensions: int
    text_fields: tuple[str, ...] = ("title", "text")
    analysis: Literal["english", "standard"] = "english"


def render(engine: Literal["opensearch", "elasticsearch"], index: str, definition: IndexDefinition) -> dict[str, Any]:
    """The body of `PUT _index_template/NAME` that makes `index` what `definition` says."""
    text = files(__name__).joinpath(f"passages.{engine}.json").read_text(encoding="utf-8")
    body: dict[str, Any] = json.loads(text)
    body["index_patterns"] = [index]
    properties = body["template"]["mappings"]["properties"]
    properties["vector"][_DIMENSIONS_KEY[engine]] = definition.dimensions
    analyzer = "passage" if definition.analysis == "english" else "standard"
    for field in definition.text_fields:
        properties[field] = {"type": "text", "analyzer": analyzer}
    if definition.analysis == "standard":
        del body["template"]["settings"]["analysis"]
    return body


def dimensions_of(engine: Literal["opensearch", "elasticsearch"], properties: Mapping[str, Any]) -> int | None:
    """The vector length of an existing index, from its mapping; None when it has no vector field."""
    dimensions: int | None = properties.get("vector", {}).get(_DIMENSIONS_KEY[engine])
    return dimensions


def changes(current: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines of a diff from the template on the server (None: there is none) to the wanted one.

    Servers nest settings under `index` and turn numbers into strings, so both sides are compared as sorted
    `dotted.key = value` lines.

    >>> changes({"version": 1}, {"version": 2})
    ('-version = 1', '+version = 2')
    """
    before = sorted(_flat(current or {}))
    after = sorted(_flat(wanted))
    return tuple(f"{line[0]}{line[2:]}" for line in difflib.ndiff(before, after) if line[0] in "+-")


def _flat(value: Any, path: str = "") -> list[str]:
    if isinstance(value, Mapping):
        return [line for key, inner in value.items() for line in _flat(inner, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list):
        return [line for place, inner in enumerate(value) for line in _flat(inner, f"{path}[{place}]")]
    name = path.replace(".settings.analysis.", ".settings.index.analysis.")
    return [f"{name} = {str(value).lower() if isinstance(value, bool) else value}"]
