"""The pairs that every family is compared on: twenty ordinary ones, and those that tokenizers and limits trip over."""

__all__ = ["ORDINARY", "PAIRS", "Pair"]

Pair = tuple[str, str]

QUERIES = ("what is rank", "who searched the engine first?", "rank of a query", "is the passage 24 ranked")
PASSAGES = (
    "the rank of a passage is what a search engine is ranked by",
    "The engine ranks a passage by the words it shares with the query.",
    "custard under burnt sugar",
    "what is searched is ranked, 7 of 24 times",
    "a query is what is asked of the search engine; the passage answers",
)
ORDINARY: tuple[Pair, ...] = tuple((query, passage) for query in QUERIES for passage in PASSAGES)
LONG = "the rank of a passage is what a search engine is ranked by " * 250  # 3,000 words
UNUSUAL: tuple[Pair, ...] = (
    ("what is rank", ""),
    ("what is rank", LONG),
    ("what is rank", "搜索引擎按相关性排列文档。検索エンジン"),
    ("ما هو محرك البحث", "محرك البحث يرتب النصوص حسب الصلة"),
    (LONG, "the rank of a passage"),
)
PAIRS = (*ORDINARY, *UNUSUAL)
