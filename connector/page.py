"""The last step of a search: from the final ranking to the page that is shown. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connector.types import Hit

__all__ = ["collapsed", "with_highlights"]


def collapsed(hits: Sequence[Hit], field: str | None) -> tuple[Hit, ...]:
    """The best hit of each value of the field, ranked anew; a hit without the field stands for itself."""
    if field is None:
        return tuple(hits)
    seen: set[str] = set()
    kept: list[Hit] = []
    for hit in hits:
        value = _at(hit.source, field)
        key = repr(value)
        if value is None or key not in seen:
            kept.append(replace(hit, rank=len(kept) + 1))
            seen.add(key)
    return tuple(kept)


def with_highlights(hits: Sequence[Hit], fragments: Mapping[str, Mapping[str, tuple[str, ...]]]) -> tuple[Hit, ...]:
    """The hits with their fragments; a hit that has none keeps none."""
    return tuple(replace(hit, highlights=fragments.get(hit.doc_id, {})) for hit in hits)


def _at(source: Mapping[str, Any], field: str) -> Any:
    """The value of a field; `a.b` is field b of the object in field a."""
    value: Any = source
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
