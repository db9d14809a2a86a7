"""Sets query and passage into a prompt by token ids: a long text is cut, the prompt around it never."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tokenizers import Encoding

from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.runtime.plain_text import plain_text_only
from hybridrank.sidecar.runtime.tokenizer import (
    CHARACTERS_PER_TOKEN,
    WINDOWS_SHARE,
    TextTokenizer,
    TokenSequence,
    beginning,
)

__all__ = ["PromptTokenizer"]

Value = TypeVar("Value")
QUERY, DOCUMENT = "{query}", "{document}"
ROOM = 16  # tokens that a template must leave; a text that joins its neighbours may make a prompt a token longer


@dataclass(frozen=True)
class _Prompt:
    """Token ids of a prompt, or of a piece of it, and where in them the query and the document are."""

    ids: Sequence[int]
    query: range = range(0)
    document: range = range(0)

    def __add__(self, other: "_Prompt") -> "_Prompt":
        """Puts `other` behind."""
        by = len(self.ids)
        query, document = (
            mine or range(its.start + by, its.stop + by)
            for mine, its in ((self.query, other.query), (self.document, other.document))
        )
        return _Prompt([*self.ids, *other.ids], query, document)


class PromptTokenizer(TextTokenizer):
    """A `tokenizer.json` whose pairs are prompts: `template` with the texts in place of `{query}` and `{document}`.

    Each piece of the template is tokenised apart from the others. Control tokens are read as such in pieces without a
    text: in a query or a passage they are plain text, which cannot end the prompt.
    """

    def __init__(self, path: Path, max_tokens: int, template: Sequence[str]) -> None:
        super().__init__(path, max_tokens)
        self._pieces: list[_Prompt | list[str]] = []
        for piece in template:
            parts = re.split(f"({re.escape(QUERY)}|{re.escape(DOCUMENT)})", piece)
            fixed = _Prompt(self._tokenizer.encode(piece, add_special_tokens=False).ids)
            self._pieces.append(parts if len(parts) > 1 else fixed)
        self._tokenizer = plain_text_only(self._tokenizer)
        (empty,) = self._prompts("", [""])
        if len(empty.ids) > max_tokens - ROOM:
            problem = f"the template takes {len(empty.ids)} of {max_tokens} tokens, and at least {ROOM} must be left"
            raise BadModelFolder(path.parent, problem)
        self._most_of_query = (max_tokens - len(empty.ids)) // 2

    def pair_windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[TokenSequence]]:
        """Returns the prompt for each window of each passage, at least one and at most `max_windows`.

        The query keeps at most half of the tokens that the template leaves; the rest is for the passage.
        """
        query = self._bounded(query)
        heads = [beginning(passage, CHARACTERS_PER_TOKEN * self._max_tokens * max_windows) for passage in passages]
        found = []
        for passage, head, begun in zip(passages, heads, self._prompts(query, heads), strict=True):
            short = len(head) < len(passage) and len(begun.document) <= self._room(begun) * max_windows
            prompt = self._prompts(query, [passage])[0] if short else begun
            found.append(self._windows(prompt, max_windows))
        return found

    def _bounded(self, query: str) -> str:
        """Returns the query, or of a long one a beginning of a few tokens more than a prompt has room for."""
        most = self._most_of_query + ROOM
        for text in (beginning(query, CHARACTERS_PER_TOKEN * most), query):
            offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
            if len(offsets) > most:
                return text[: offsets[most][0]]
        return query

    def _windows(self, prompt: _Prompt, max_windows: int) -> list[TokenSequence]:
        document, most = prompt.document, self._most_of_query
        special = [place not in document for place in range(len(prompt.ids))]
        windows = _windows(document, self._room(prompt), max_windows)
        found = []
        for window in windows:
            dropped = (prompt.query[most:], range(document.start, window.start), range(window.stop, document.stop))
            ids = _without(prompt.ids, dropped)
            found.append(
                TokenSequence(
                    ids,
                    (0,) * len(ids),
                    _without(special, dropped),
                    truncated=windows[-1].stop < document.stop,
                    query_truncated=len(prompt.query) > most,
                )
            )
        return found

    def _room(self, prompt: _Prompt) -> int:
        """Returns the number of tokens for the passage."""
        around = len(prompt.ids) - len(prompt.query) - len(prompt.document)
        return self._max_tokens - around - min(len(prompt.query), self._most_of_query)

    def _prompts(self, query: str, documents: Sequence[str]) -> list[_Prompt]:
        """Returns the whole prompt for each document."""
        prompts = [_Prompt([])] * len(documents)
        for piece in self._pieces:
            if isinstance(piece, _Prompt):
                pieces = [piece] * len(documents)
            elif DOCUMENT in piece:
                pieces = self._filled(piece, query, documents)
            else:
                pieces = self._filled(piece, query, [""]) * len(documents)
            prompts = [prompt + each for prompt, each in zip(prompts, pieces, strict=True)]
        return prompts

    def _filled(self, parts: Sequence[str], query: str, documents: Sequence[str]) -> list[_Prompt]:
        """Returns a piece with the query and each of the documents in it."""
        filled = [[{QUERY: query, DOCUMENT: document}.get(part, part) for part in parts] for document in documents]
        encodings = self._tokenizer.encode_batch(["".join(texts) for texts in filled], add_special_tokens=False)
        found = []
        for texts, encoding in zip(filled, encodings, strict=True):
            query_at, document_at = (_tokens_of(encoding, texts, parts, place) for place in (QUERY, DOCUMENT))
            found.append(_Prompt(encoding.ids, query_at, document_at))
        return found


def _tokens_of(encoding: Encoding, texts: Sequence[str], parts: Sequence[str], place: str) -> range:
    """Returns where the tokens of the text at `place` are: those that end in it."""
    if place not in parts:
        return range(0)
    number = parts.index(place)
    start = sum(len(text) for text in texts[:number])
    ends = [end for _, end in encoding.offsets]
    return range(bisect_right(ends, start), bisect_right(ends, start + len(texts[number])))


def _windows(document: range, room: int, max_windows: int) -> list[range]:
    """Returns the first windows of `room` tokens; neighbours share an eighth."""
    step = room - (room // WINDOWS_SHARE if max_windows > 1 else 0)
    windows = [document[:room]]
    while len(windows) < max_windows and windows[-1].stop < document.stop:
        start = windows[-1].start + step
        windows.append(range(start, min(start + room, document.stop)))
    return windows


def _without(values: Sequence[Value], dropped: Sequence[range]) -> tuple[Value, ...]:
    gone = {place for places in dropped for place in places}
    return tuple(value for place, value in enumerate(values) if place not in gone)
