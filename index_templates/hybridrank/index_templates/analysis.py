"""Text analysis in an index, as the servers' JSON: analyzers, text fields and their subfields, synonyms."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from hybridrank.index_templates.languages import LANGUAGES, Language

__all__ = [
    "PREFIX_LENGTHS",
    "Subfield",
    "analysis",
    "lacks",
    "probes",
    "search_analysis",
    "searched_with_synonyms",
    "stored_synonyms",
    "synonym_rules",
    "text_field",
    "trial",
]

Json: TypeAlias = dict[str, Any]
Subfield: TypeAlias = Literal["exact", "prefix"]
"""`title.exact` holds unstemmed words; `title.prefix` also holds the prefixes of each word."""

PREFIX_LENGTHS = (1, 20)
"""Shortest and longest prefix, in letters, that `prefix` holds; a longer word is also indexed whole."""

_WRITTEN, _SEARCHED, _BEGINNINGS = "passage", "passage_search", "passage_prefix"
_SYNONYMS, _EDGES = "passage_synonyms", "passage_edges"


def analysis(language: Language, subfields: Collection[Subfield]) -> Json:
    """Returns the `analysis` of an index's settings; empty if the server's own `standard` analyzer is enough."""
    found = LANGUAGES[language]
    filters, analyzers = dict(found.defined), {}
    if language != "standard":
        analyzers[_WRITTEN] = _custom(*found.letters, *found.words)
    if "prefix" in subfields:
        filters[_EDGES] = _edges()
        analyzers[_BEGINNINGS] = _custom("lowercase", _EDGES)
    return {kind: each for kind, each in {"filter": filters, "analyzer": analyzers}.items() if each}


def search_analysis(language: Language, synonyms: Sequence[str]) -> Json:
    """Returns the additional `analysis` that a search with synonyms needs."""
    found = LANGUAGES[language]
    return {
        "filter": {_SYNONYMS: _synonyms(synonyms)},
        "analyzer": {_SEARCHED: _custom(*found.letters, _SYNONYMS, *found.words)},
    }


def stored_synonyms(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the rules in the settings of an index or a template, as a server returns them."""
    filters = settings.get("index", {}).get("analysis", {}).get("filter", {})
    return tuple(filters.get(_SYNONYMS, {}).get("synonyms", ()))


def text_field(language: Language, subfields: Collection[Subfield], *, synonyms: bool) -> Json:
    """Returns the mapping of a text field."""
    inner: Json = {}
    if "exact" in subfields:
        inner["exact"] = {"type": "text", "analyzer": "standard"}
    if "prefix" in subfields:
        inner["prefix"] = {"type": "text", "analyzer": _BEGINNINGS, "search_analyzer": "standard"}
    return {
        "type": "text",
        "analyzer": "standard" if language == "standard" else _WRITTEN,
        **({"search_analyzer": _SEARCHED} if synonyms else {}),
        **({"fields": inner} if inner else {}),
    }


def searched_with_synonyms(properties: Mapping[str, Json]) -> dict[str, Json]:
    """Returns the fields of an index's mapping that `text_field` made, changed to search with synonyms."""
    return {
        name: {**each, "search_analyzer": _SEARCHED}
        for name, each in properties.items()
        if each.get("type") == "text" and each.get("analyzer") in (_WRITTEN, "standard")
    }


def probes() -> dict[str, Json]:
    """Returns a body for `_analyze` for each feature that a server may not support; it then answers 400."""
    languages = {name: trial(name, ()) for name in LANGUAGES if name != "standard"}
    return languages | {"prefix": _trial(_edges()), "synonyms": trial("standard", ["tea, chai"])}


def trial(language: Language, synonyms: Sequence[str]) -> Json:
    """Returns a body for `_analyze` that analyses like a search; the server answers 400 for an invalid rule."""
    found = LANGUAGES[language]
    between = [_synonyms(synonyms)] if synonyms else []
    letters, words = ([found.defined.get(each, each) for each in names] for names in (found.letters, found.words))
    return _trial(*letters, *between, *words)


def lacks(language: Language, subfields: Collection[Subfield], capabilities: Collection[str]) -> tuple[str, ...]:
    """Returns a sentence for each requested feature that the engine's capabilities do not include."""
    found = []
    if language not in ("standard", *capabilities):
        shown = language.upper() if language == "cjk" else language.title()
        found.append(f"no {shown} analysis here: words are matched as they stand")
    if "prefix" in subfields and "prefix" not in capabilities:
        found.append("no edge n-grams here: fields have no subfield prefix")
    return tuple(found)


def synonym_rules(text: str) -> dict[int, str]:
    """Returns 1-based line number → rule of a Solr file: `a, b` or `a, b => c` per line, comments after `#`.

    >>> synonym_rules("# drinks\\ntea, chai\\n\\n")
    {2: 'tea, chai'}
    """
    lines = enumerate((line.strip() for line in text.split("\n")), start=1)
    return {number: line for number, line in lines if line and not line.startswith("#")}


def _custom(*filters: str) -> Json:
    return {"type": "custom", "tokenizer": "standard", "filter": list(filters)}


def _trial(*filters: Any) -> Json:
    return {"tokenizer": "standard", "filter": list(filters), "text": "a test"}


def _edges() -> Json:
    shortest, longest = PREFIX_LENGTHS
    return {"type": "edge_ngram", "min_gram": shortest, "max_gram": longest, "preserve_original": True}


def _synonyms(rules: Sequence[str]) -> Json:
    return {"type": "synonym_graph", "synonyms": list(rules)}
