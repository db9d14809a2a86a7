"""The beginning of a long query, as far as engines look for its words.

OpenSearch takes 1024 clauses in one query (`indices.query.bool.max_clause_count`), Elasticsearch at least as many, and
each word in each field is one. So BM25 reads the first 900 / (number of fields) words of a query on every engine; what
is left of the 1024 is for filters. A letter of a script without spaces between words, and a symbol, count as a word.
"""

import re

__all__ = ["MAX_CLAUSES", "MAX_QUERY_CHARACTERS", "beginning"]

MAX_CLAUSES = 900
"""Words times fields that one query looks for."""

MAX_QUERY_CHARACTERS = 100_000
"""Characters of a query that a search takes at all."""

# Letters of Thai to Khmer, and of Chinese, Japanese and Korean. Engines cut longer words than 255 letters.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\ua000-\ua4cf\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[^\W{_UNSPACED}]{{1,255}}|[^\s\x00-\x7f]")


def beginning(text: str, fields: int, *, clauses: int = MAX_CLAUSES) -> str:
    """The text up to the last word that `fields` fields are searched for; the whole text where it is short enough.

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
