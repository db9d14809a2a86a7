"""Text analysis of the embedded engine: tantivy's filters, as close to the servers' as possible.

Words are runs of letters and digits, a little finer than with the servers' tokenizer (`json.dumps` is two words here,
one there). English has Lucene's stop words and Porter 2 stems, as on the servers; other languages have Snowball's,
which remove more than the servers' light stemmers.
"""

from collections.abc import Mapping

import tantivy

from hybridrank.index_templates import IndexDefinition
from hybridrank.index_templates.analysis import PREFIX_LENGTHS
from hybridrank.index_templates.languages import Language

__all__ = ["EMBEDDED_LANGUAGES", "analyzer_names", "analyzers", "beginnings"]

EMBEDDED_LANGUAGES: tuple[Language, ...] = (
    "english",
    "german",
    "french",
    "spanish",
    "italian",
    "portuguese",
    "dutch",
    "standard",
)

# fmt: off
_STOP_WORDS = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
]
# fmt: on


def analyzers(language: Language) -> dict[str, tantivy.TextAnalyzer]:
    """Returns name → analyzer for an index in this language."""
    stems = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.lowercase())
    if language != "standard":
        stop_words = (
            tantivy.Filter.custom_stopword(_STOP_WORDS) if language == "english" else tantivy.Filter.stopword(language)
        )
        stems = stems.filter(stop_words).filter(tantivy.Filter.stemmer(language))
    exact = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.lowercase())
    return {"passage": stems.build(), "exact": exact.build()}


def analyzer_names(definition: IndexDefinition) -> Mapping[str, str]:
    """Returns field → name of its analyzer, for text fields and their subfields."""
    return dict.fromkeys(definition.text_fields, "passage") | dict.fromkeys(definition.subfield_paths, "exact")


def beginnings(words: list[str]) -> list[str]:
    """Returns the prefixes that a subfield `prefix` holds for the words of a text.

    >>> beginnings(["tea"])
    ['t', 'te', 'tea']
    """
    shortest, longest = PREFIX_LENGTHS
    return [
        word[:length]
        for word in words
        for length in (*range(shortest, min(longest, len(word)) + 1), *([len(word)] if len(word) > longest else []))
    ]
