"""Turns texts into token ids, cutting what does not fit, and never more of the query than leaves room for a passage."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Encoding, Tokenizer

PADDING_TOKENS = ("[PAD]", "<pad>")
CHARACTERS_PER_TOKEN = 8  # English has four to five


@dataclass(frozen=True)
class TokenSequence:
    """One input of a model: its token ids, the segment each belongs to, and which are special ([CLS], [SEP])."""

    token_ids: tuple[int, ...]
    segment_ids: tuple[int, ...]
    special: tuple[bool, ...]
    truncated: bool

    def __len__(self) -> int:
        return len(self.token_ids)


class TextTokenizer:
    """A `tokenizer.json` with the context of one model: `max_tokens` counts the special tokens too."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_truncation()  # we cut ourselves, to know what was cut
        self._tokenizer.no_padding()  # a batch is padded to its own longest text
        self._max_tokens = max_tokens
        known = (self._tokenizer.token_to_id(token) for token in PADDING_TOKENS)
        self.padding_id: int = next((token_id for token_id in known if token_id is not None), 0)

    def singles(self, texts: Sequence[str]) -> list[TokenSequence]:
        """`[CLS] text [SEP]` for each text; a long one keeps its beginning."""
        room = self._max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        sequences = []
        for text in self._beginnings(texts, room):
            truncated = _cut(text, room)
            sequences.append(_sequence(self._tokenizer.post_process(text), truncated=truncated))
        return sequences

    def pairs(self, query: str, passages: Sequence[str]) -> list[TokenSequence]:
        """`[CLS] query [SEP] passage [SEP]` for each passage; segment ids are the tokenizer's own.

        The query is tokenised once and keeps at most half of the context; what is left belongs to the passage, which
        alone decides `truncated`.
        """
        room = self._max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=True)
        (head,) = self._beginnings([query], self._max_tokens // 2)
        _cut(head, self._max_tokens // 2)
        sequences = []
        for passage in self._beginnings(passages, room - len(head)):
            truncated = _cut(passage, room - len(head))
            sequences.append(_sequence(self._tokenizer.post_process(head, passage), truncated=truncated))
        return sequences

    def _beginnings(self, texts: Sequence[str], room: int) -> list[Encoding]:
        """Each text without special tokens: whole, or so much of it that more than `room` tokens are there.

        A long text is read only as far as `room` tokens can be expected to reach, and whole only where they do not.
        """
        heads = [_head(text, CHARACTERS_PER_TOKEN * self._max_tokens) for text in texts]
        encodings = list(self._tokenizer.encode_batch_fast(heads, add_special_tokens=False))
        for index, text in enumerate(texts):
            if len(heads[index]) < len(text) and len(encodings[index]) <= room:
                (encodings[index],) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        return encodings


def _head(text: str, characters: int) -> str:
    """`text`, or its whole words within the first `characters`."""
    if len(text) <= characters:
        return text
    head, *_ = text[:characters].rsplit(maxsplit=1) or [""]
    return head


def _cut(text: Encoding, room: int) -> bool:
    """Keep the first `room` tokens of `text`, in place; says whether any were lost."""
    too_long = len(text) > room
    if too_long:
        text.truncate(room)
    return too_long


def _sequence(encoding: Encoding, *, truncated: bool) -> TokenSequence:
    special = tuple(flag == 1 for flag in encoding.special_tokens_mask)
    return TokenSequence(tuple(encoding.ids), tuple(encoding.type_ids), special, truncated)
