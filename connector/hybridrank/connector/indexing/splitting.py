"""Splits long documents into passages, each short enough for a model. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybridrank.connector.passages import DEFAULT_FIELDS, passage_text

__all__ = ["Split", "split"]


@dataclass(frozen=True, slots=True)
class Split:
    """Splitting of long documents: `words` per passage, of which `overlap` repeat the end of the previous one.

    180 words of English are some 240 tokens, which encoders of 256 read whole with a title; with the overlap, a
    sentence at a border is complete in one of the two.
    """

    words: int = 180
    overlap: int = 30

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.words:
            raise ValueError(f"an overlap of {self.overlap} words does not fit into passages of {self.words}")


def split(source: Mapping[str, Any], how: Split, fields: Sequence[str] = DEFAULT_FIELDS) -> tuple[str, ...]:
    """Returns the passages of the last of `fields`, each after the other fields; none for a document without words.

    >>> split({"title": "Tea", "text": "Leaves in hot water."}, Split(words=3, overlap=1))
    ('Tea\\nLeaves in hot', 'Tea\\nhot water.')
    """
    head, text = passage_text(source, fields[:-1]), passage_text(source, fields[-1:])
    places = [found.span() for found in re.finditer(r"\S+", text)]
    step = how.words - how.overlap
    starts = range(0, max(len(places) - how.overlap, 1), step) if places else ()
    cut = (text[places[start][0] : places[min(start + how.words, len(places)) - 1][1]] for start in starts)
    passages = tuple(f"{head}\n{each}" if head else each for each in cut)
    return passages or ((head,) if head.strip() else ())
