"""Texts for models whose tokenizer is elsewhere: token counts are estimates, and long texts are cut by them."""

import math
from dataclasses import dataclass

from hybridrank.sidecar.runtime.tokenizer import WINDOWS_SHARE, TokenSequence

__all__ = ["TextPart", "cut"]

# English has four to five bytes in a token, other alphabets two letters of two bytes, Chinese one character of three:
# few texts have more tokens than estimated, and an API cuts those itself.
BYTES_PER_TOKEN = 3
SPACES = (b" ", b"\n", b"\t", b"\r")


@dataclass(frozen=True)
class TextPart(TokenSequence):
    """A text, or a window of a long one, with its estimated tokens; it has no token ids."""

    text: str = ""
    tokens: int = 0
    input_type: str = ""

    def __len__(self) -> int:
        return self.tokens


def cut(text: str, room: int, max_windows: int, *, before: int = 0, input_type: str = "") -> list[TextPart]:
    """Returns the text, or up to `max_windows` windows of whole words and about `room` tokens.

    Neighbours share an eighth, if there is a word in it. `before` are tokens to add to each, such as those of a query.

    >>> [part.text for part in cut("one two three four five", room=3, max_windows=9)]
    ['one two', 'three', 'four five']
    >>> [part.text for part in cut("a b c d e f g h i j k l", room=6, max_windows=9)]
    ['a b c d e f g h i', 'i j k l']
    """
    whole = text.encode("utf-8", "replace").rstrip()
    size = room * BYTES_PER_TOKEN
    spans = [(0, _end(whole, 0, size))]
    while len(spans) < max_windows and spans[-1][1] < len(whole):
        start = _next_start(whole, *spans[-1], shared=size // WINDOWS_SHARE)
        spans.append((start, _end(whole, start, size)))
    truncated = spans[-1][1] < len(whole)
    texts = [whole[start:end].decode().strip() for start, end in spans]
    return [
        TextPart((), (), (), truncated, text=each, tokens=before + _tokens(each), input_type=input_type)
        for each in texts
    ]


def _end(whole: bytes, start: int, size: int) -> int:
    """Returns the end of the window: after its last whole word, or within a word that is longer than the window."""
    end = start + size
    if end >= len(whole):
        return len(whole)
    space = max(whole.rfind(each, start + 1, end + 1) for each in SPACES)
    return space if space > 0 else _character(whole, end)


def _next_start(whole: bytes, start: int, end: int, *, shared: int) -> int:
    """Returns where the next window starts: at a word in the shared end of this one, or at this one's end."""
    place = _character(whole, end - shared)
    spaces = [found for each in SPACES if (found := whole.find(each, max(place, start + 1) - 1, end)) >= 0]
    if spaces:
        return _word(whole, min(spaces))
    in_word = not whole[end : end + 1].isspace()
    return place if in_word and place > start else _word(whole, end)


def _word(whole: bytes, place: int) -> int:
    """Returns the start of the next word at or after a place."""
    rest = whole[place:]
    return place + len(rest) - len(rest.lstrip())


def _character(whole: bytes, place: int) -> int:
    """Returns the start of the character at a place."""
    while whole[place] & 0xC0 == 0x80:  # a continuation byte of UTF-8
        place -= 1
    return place


def _tokens(text: str) -> int:
    return max(1, math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN))
