"""A log of live searches and their clicks → rows with the ranks at which they were shown.

The rows are exactly the served ones. A click is grade 1, and depends on both the rank and the document: `positions` let
LightGBM remove the effect of the rank.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hybridrank.ltr_features import FeatureSet
from hybridrank.training.ltr.click_files import Showing
from hybridrank.training.ltr.dataset import RankingData, from_groups
from hybridrank.training.ltr.errors import ClickError

__all__ = ["live_rows"]


def live_rows(
    records: Iterable[Mapping[str, Any]], showings: Mapping[tuple[str, str], Showing], feature_set: FeatureSet
) -> tuple[RankingData, dict[str, str]]:
    """Returns the documents that searches showed, and the queries' texts by query_id.

    `records` come from `connector.stages.feature_log.read_feature_log`; they are joined with the `showings` (query_id,
    doc_id) by the query_id of the request. Candidates that were not shown, searches without a click and records of
    other feature sets are left out. If a search found an id in several indices, events must use `index/id`.

    Raises ClickError if nothing remains, with the reason, and for an id that one search found in several indices.
    """
    rows: dict[str, list[tuple[int, str, int, list[float]]]] = {}
    texts: dict[str, str] = {}
    found_in: dict[tuple[str, str, str], str] = {}  # the index in which a search found an id
    seen = other_set = 0
    for record in records:
        seen += 1
        if record["feature_set"]["digest"] != feature_set.digest:
            other_set += 1
            continue
        query_id, doc_id = record["query_id"], record["doc_id"]
        named = f"{record['index']}/{doc_id}"
        if (query_id, named) in showings:
            doc_id = named
        elif (query_id, doc_id) in showings:
            other = found_in.setdefault((query_id, str(record["timestamp"]), doc_id), record["index"])
            if other != record["index"]:
                raise ClickError(
                    f"query {query_id!r} found {doc_id!r} in {other} and in {record['index']}, and the events do not"
                    f" say which was shown; write {named} there"
                )
        if showing := showings.get((query_id, doc_id)):
            values = [record["features"][name] for name in feature_set.names]
            rows.setdefault(query_id, []).append((showing.position, doc_id, int(showing.clicked), values))
            texts[query_id] = showing.query
    clicked = {query_id: sorted(each) for query_id, each in rows.items() if any(row[2] for row in each)}
    if not clicked:
        raise ClickError(
            f"of {seen} logged rows, {other_set} are of another feature set than {feature_set.name}, and no search of"
            " the others was clicked; log and events meet by query_id: give it to SearchRequest and to the events"
        )
    data = from_groups(
        [(query_id, [row[1:] for row in each]) for query_id, each in clicked.items()], len(feature_set.names)
    )
    positions = np.array([row[0] - 1 for each in clicked.values() for row in each], dtype=np.int64)
    return replace(data, positions=positions), {query_id: texts[query_id] for query_id in clicked}
