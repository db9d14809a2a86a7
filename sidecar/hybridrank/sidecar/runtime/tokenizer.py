"""Turns texts into token ids, cut to the context, with a limit on the query that leaves room for a passage.

A long text keeps its beginning, or as many windows as the caller allows; each shares an eighth with the next.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from hybridrank.model_files.errors import BadModelFolder

PADDING_TOKENS = ("[PAD]", "<pad>")
CHARACTERS_PER_TOKEN = 8  # English has four to five
WINDOWS_SHARE = 8  # an eighth, 63 of 510 tokens: two or three sentences, so that no sentence is only seen in halves


@dataclass(frozen=True)
class TokenSequence:
    """One input of a model: its token ids, the segment of each, and the special tokens ([CLS], [SEP]).

    Late interaction leaves special tokens out; an encoder that scores other tokens marks them here. The last
    `unattended` tokens attend to the others but are not attended to. `truncated` is True if the end of the text, or of
    a pair's passage, was cut.
    """

    token_ids: tuple[int, ...]
    segment_ids: tuple[int, ...]
    special: tuple[bool, ...]
    truncated: bool
    query_truncated: bool = False
    unattended: int = 0

    def __len__(self) -> int:
        return len(self.token_ids)

    def without(self, token_ids: Set[int]) -> "TokenSequence":
        """Also marks these tokens as special: read, but not scored. Unchanged if no other token would remain."""
        special = tuple(
            flag or token_id in token_ids for token_id, flag in zip(self.token_ids, self.special, strict=True)
        )
        return self if all(special) else replace(self, special=special)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The token of each id, "" for an id without one; `own` is False for those and for special tokens."""

    tokens: tuple[str, ...]
    own: npt.NDArray[np.bool_]


class TextTokenizer:
    """A `tokenizer.json` with the context of one model: `max_tokens` includes the special tokens."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        self._path = path
        self._tokenizer = _read(path)
        self._tokenizer.no_truncation()  # we cut ourselves, to know the cut part
        self._tokenizer.no_padding()  # a batch is padded to its own longest text
        self._max_tokens = max_tokens
        known = (self._tokenizer.token_to_id(token) for token in PADDING_TOKENS)
        self.padding_id: int = next((token_id for token_id in known if token_id is not None), 0)

    @property
    def largest_id(self) -> int:
        """The largest id of a token."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=0)

    def token_id(self, token: str) -> int:
        """Returns the id of a token; raises BadModelFolder if the vocabulary does not have it."""
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise BadModelFolder(self._path.parent, f"{self._path.name} has no token {token!r}, which model.toml names")
        return int(found)

    def vocabulary(self) -> Vocabulary:
        """Returns all tokens."""
        by_id = {token_id: token for token, token_id in self._tokenizer.get_vocab().items()}
        special = {token_id for token_id, each in self._tokenizer.get_added_tokens_decoder().items() if each.special}
        tokens = tuple(by_id.get(token_id, "") for token_id in range(max(by_id) + 1))
        own = np.array([bool(token) and place not in special for place, token in enumerate(tokens)], dtype=np.bool_)
        return Vocabulary(tokens, own)

    def singles(self, texts: Sequence[str]) -> list[TokenSequence]:
        """Returns `[CLS] text [SEP]` for each text; a long one keeps its beginning."""
        return [only for (only,) in self.single_windows(texts, 1)]

    def single_windows(self, texts: Sequence[str], max_windows: int) -> list[list[TokenSequence]]:
        """Returns `[CLS] window [SEP]` for each window of each text, at least one and at most `max_windows`."""
        room = self._max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        found = []
        for text in self._beginnings(texts, room, max_windows):
            windows, truncated = _windows(text, room, max_windows)
            found.append([self._sequence(self._tokenizer.post_process(each), truncated=truncated) for each in windows])
        return found

    def pairs(self, query: str, passages: Sequence[str]) -> list[TokenSequence]:
        """Returns `[CLS] query [SEP] passage [SEP]` for each passage; segment ids are the tokenizer's own.

        The query is tokenised once and keeps at most half of the context; the rest is for the passage.
        """
        return [only for (only,) in self.pair_windows(query, passages, 1)]

    def pair_windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[TokenSequence]]:
        """Same as `pairs`, for each window of each passage, at least one and at most `max_windows`."""
        room = self._max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=True)
        (head,) = self._beginnings([query], self._max_tokens // 2, 1)
        (head,), query_truncated = _windows(head, self._max_tokens // 2, 1)
        room -= len(head)
        found = []
        for passage in self._beginnings(passages, room, max_windows):
            windows, truncated = _windows(passage, room, max_windows)
            pairs = [self._tokenizer.post_process(head, each) for each in windows]
            found.append([self._sequence(each, truncated=truncated, query_truncated=query_truncated) for each in pairs])
        return found

    def _beginnings(self, texts: Sequence[str], room: int, max_windows: int) -> list[Encoding]:
        """Returns each text without special tokens: whole, or a beginning that is longer than the windows.

        A long text is first tokenised only as far as the windows probably reach, and whole only if that was too short.
        """
        heads = [beginning(text, CHARACTERS_PER_TOKEN * self._max_tokens * max_windows) for text in texts]
        encodings = list(self._tokenizer.encode_batch_fast(heads, add_special_tokens=False))
        for index, text in enumerate(texts):
            if len(heads[index]) < len(text) and len(encodings[index]) <= room * max_windows:
                (encodings[index],) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        return encodings

    def _sequence(self, encoding: Encoding, *, truncated: bool, query_truncated: bool = False) -> TokenSequence:
        """Returns the input; of a text without any token, where the tokenizer adds none, a padding token."""
        if not encoding.ids:
            return TokenSequence((self.padding_id,), (0,), (True,), truncated, query_truncated)
        special = tuple(flag == 1 for flag in encoding.special_tokens_mask)
        return TokenSequence(tuple(encoding.ids), tuple(encoding.type_ids), special, truncated, query_truncated)


def _read(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # it raises no other class
        raise BadModelFolder(path.parent, f"{path.name} cannot be read: {error}") from error


def beginning(text: str, characters: int) -> str:
    """Returns `text`, or its whole words within the first `characters`."""
    if len(text) <= characters:
        return text
    head, *_ = text[:characters].rsplit(maxsplit=1) or [""]
    return head


def _windows(text: Encoding, room: int, max_windows: int) -> tuple[list[Encoding], bool]:
    """Returns the first windows of `room` tokens, and whether the end of `text` is left out."""
    if len(text) <= room:
        return [text], False
    text.truncate(room, stride=room // WINDOWS_SHARE if max_windows > 1 else 0)
    rest = text.overflowing
    return [text, *rest[: max_windows - 1]], len(rest) >= max_windows
