"""Highlighting in the embedded engine: the best fragment of a field, with the query's words marked."""

from collections.abc import Sequence

import tantivy

from hybridrank.connector.engines.embedded.index_reader import Snapshot
from hybridrank.connector.queries.retrievers import Bm25Query
from hybridrank.connector.types import DocumentKey

__all__ = ["snippets"]

_LENGTH = 150  # characters: two lines


def snippets(
    snapshot: Snapshot, query: Bm25Query, names: Sequence[str], keys: Sequence[DocumentKey]
) -> dict[DocumentKey, dict[str, tuple[str, ...]]]:
    """Returns document → field → one fragment, HTML with `<em>` around the words; no entry for a field without them."""
    places = snapshot.ordinals(keys)
    found: dict[DocumentKey, dict[str, tuple[str, ...]]] = {key: {} for key in places}
    for name in names:
        clause = snapshot.any_of(name, query.searched_text)
        if clause is None:
            continue
        generator = tantivy.SnippetGenerator.create(snapshot.searcher, clause, snapshot.schema, name)
        generator.set_max_num_chars(_LENGTH)
        for key, place in places.items():
            text = str(snapshot.sources[place].get(name, ""))
            html = generator.snippet_from_doc(tantivy.Document(**{name: text})).to_html()
            if "<b>" in html:  # the text itself is escaped, so nothing in it looks like a tag
                found[key][name] = (html.replace("<b>", "<em>").replace("</b>", "</em>"),)
    return found
