"""The sentences whose scores are kept in golden files."""

QUERY = "why does the search engine rank this passage first?"

# Very short, ordinary, cut (over 48 and over 512 tokens), other scripts, symbols, capitals.
PASSAGES = (
    "yes",
    "The engine ranks a passage by the words it shares with the query.",
    "WHAT IS RANKED FIRST?",
    "Crème brûlée is a dessert of custard under burnt sugar.",
    "😀 search 🚀 engine",
    "検索エンジンは文書を順位付けする。",
    "rank " * 30,
    "A passage that matches every word of a query is searched for first, then the others are. " * 40,
)
PAIRS = [(QUERY, passage) for passage in PASSAGES] + [("passage", passage) for passage in PASSAGES[:4]]
