"""What the embedded engine shows of a document: the best fragment of a field, with the query's words marked."""

from bisect import bisect_left
from collections.abc import Sequence

import tantivy

from connector.engines.snapshot import Snapshot
from connector.types import Bm25Query

__all__ = ["snippets"]

_LENGTH = 150  # characters: two lines


def snippets(
    snapshot: Snapshot, query: Bm25Query, names: Sequence[str], doc_ids: Sequence[str]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """doc_id → field → one fragment, HTML with `<em>` around the words; nothing for a field without any of them."""
    found: dict[str, dict[str, tuple[str, ...]]] = {doc_id: {} for doc_id in doc_ids}
    for name in names:
        clause = snapshot.any_of(name, query.text)
        if clause is None:
            continue
        generator = tantivy.SnippetGenerator.create(snapshot.searcher, clause, snapshot.schema, name)
        generator.set_max_num_chars(_LENGTH)
        for doc_id in doc_ids:
            text = str(snapshot.sources[bisect_left(snapshot.doc_ids, doc_id)].get(name, ""))
            html = generator.snippet_from_doc(tantivy.Document(**{name: text})).to_html()
            if "<b>" in html:  # of the text itself nothing is left that looks like a tag
                found[doc_id][name] = (html.replace("<b>", "<em>").replace("</b>", "</em>"),)
    return found
