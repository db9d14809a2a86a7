"""The part of a long query that engines search for.

OpenSearch accepts 1024 clauses in one query (`indices.query.bool.max_clause_count`), Elasticsearch at least as many,
and each word in each field is one clause. So BM25 uses the first 900 / (number of fields) words of a query on every
engine; the rest of the 1024 clauses is for filters. A letter of a script without spaces between words counts as a word,
and so does a symbol.
"""

import re

__all__ = ["MAX_CLAUSES", "MAX_QUERY_CHARACTERS", "beginning"]

MAX_CLAUSES = 900
"""Maximum of words times fields that one query searches for."""

MAX_QUERY_CHARACTERS = 100_000
"""Maximum query length that a search accepts, in characters."""

# Letters of Thai to Khmer, and of Chinese, Japanese and Korean. Engines split words longer than 255 letters.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\ua000-\ua4cf\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[^\W{_UNSPACED}]{{1,255}}|[^\s\x00-\x7f]")


def beginning(text: str, fields: int, *, clauses: int = MAX_CLAUSES) -> str:
    """Returns the text up to the last word that is searched for in `fields` fields; a short text is returned whole.

    >>> beginning("green tea with milk", 2, clauses=4)
    'green tea'
    """
    allowed = max(1, clauses // max(1, fields))
    end = 0
    for count, word in enumerate(_WORD.finditer(text)):
        if count == allowed:
            return text[:end]
        end = word.end()
    return text
