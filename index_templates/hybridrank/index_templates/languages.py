"""Supported languages of an index, each as filters that the servers provide.

They match Lucene's analyzers for the language (`GermanAnalyzer` and so on), with the light stemmers that the
documentation of both servers recommends.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ["LANGUAGES", "Filters", "Language", "language_named"]

Language: TypeAlias = Literal[
    "english", "german", "french", "spanish", "italian", "portuguese", "dutch", "cjk", "standard"
]

_FRENCH_ARTICLES = "l m t qu n s j d c jusqu quoiqu lorsqu puisqu"
_ITALIAN_ARTICLES = "c l all dall dell nell sull coll pell gl agl dagl degl negl sugl un m t s v d"


@dataclass(frozen=True, slots=True)
class Filters:
    """Token filters of a language, in order.

    `letters` normalise letters; `words` remove stop words and endings. Synonyms, if an index has them, run between the
    two, so that their rules apply to unstemmed words. `defined` are filters that hybridrank defines by name.
    """

    code: str
    letters: tuple[str, ...] = ("lowercase",)
    words: tuple[str, ...] = ()
    defined: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def _stemmed(code: str, stop_words: str, stemmer: str, *also: str, **first: dict[str, Any]) -> Filters:
    last = {
        "passage_stop": {"type": "stop", "stopwords": stop_words},
        "passage_stemmer": {"type": "stemmer", "language": stemmer},
    }
    return Filters(code, (*first, "lowercase"), ("passage_stop", *also, "passage_stemmer"), first | last)


def _elision(articles: str) -> dict[str, Any]:
    return {"type": "elision", "articles_case": True, "articles": articles.split()}


LANGUAGES: Mapping[Language, Filters] = {
    "english": _stemmed(
        "en", "_english_", "porter2", passage_possessive={"type": "stemmer", "language": "possessive_english"}
    ),
    "german": _stemmed("de", "_german_", "light_german", "german_normalization"),
    "french": _stemmed("fr", "_french_", "light_french", passage_elision=_elision(_FRENCH_ARTICLES)),
    "spanish": _stemmed("es", "_spanish_", "light_spanish"),
    "italian": _stemmed("it", "_italian_", "light_italian", passage_elision=_elision(_ITALIAN_ARTICLES)),
    "portuguese": _stemmed("pt", "_portuguese_", "light_portuguese"),
    "dutch": _stemmed("nl", "_dutch_", "dutch"),
    # Chinese, Japanese and Korean do not separate words by spaces: every two neighbouring characters form a term.
    "cjk": Filters("cjk", ("cjk_width", "lowercase", "cjk_bigram")),
    "standard": Filters("standard"),
}
"""`standard` is supported by every server: unstemmed words in lower case."""


_CODES: Mapping[str, tuple[str, ...]] = {
    **{name: (filters.code,) for name, filters in LANGUAGES.items() if name != "standard"},
    "cjk": ("zh", "ja", "ko"),
}
"""ISO 639-1 codes of each language; `standard` matches any."""


def language_named(text: str) -> Language:
    """Returns the language for a name, or for a code such as `de`. Raises ValueError that lists the languages.

    >>> language_named("de")
    'german'
    """
    for name, filters in LANGUAGES.items():
        if text.lower() in (name, filters.code):
            return name
    raise ValueError(f"there is no analysis for {text!r}; there is for {', '.join(LANGUAGES)}")


def language_lack(language: str, model: str, languages: Collection[str]) -> str:
    """Returns a sentence if a model was not trained on an index's language; empty if it was, or if that is unknown.

    >>> language_lack("german", "encoder-minilm-l6", ["en"])
    "the index's texts are german, and encoder-minilm-l6 was trained on en alone"
    >>> language_lack("german", "bge-m3", ["*"])
    ''
    """
    codes = _CODES.get(language, ())
    if not codes or not languages or "*" in languages or set(codes) <= set(languages):
        return ""
    return f"the index's texts are {language}, and {model} was trained on {', '.join(languages)} alone"
