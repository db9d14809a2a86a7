"""Judgments that no search can satisfy, because their document or query is not in the collection."""

from collections.abc import Collection

from hybridrank.common.counts import counted
from hybridrank.evaluation.collections.beir import Qrels

__all__ = ["dangling"]


def dangling(qrels: Qrels, query_ids: Collection[str], doc_ids: Collection[str], split: str) -> tuple[str, ...]:
    """Returns a sentence for judged queries that are absent, and one for judgments of absent documents.

    >>> dangling({"q1": {"gone": 1, "a": 0}, "q9": {"a": 1}}, {"q1"}, {"a"}, "test")[0]
    'test judges 1 query that queries.jsonl lacks (q9); it is left out'
    """
    lost = [each for each in qrels if each not in query_ids]
    absent = [
        (query_id, doc_id)
        for query_id, grades in qrels.items()
        for doc_id in grades
        if doc_id not in doc_ids and doc_id.partition("/")[2] not in doc_ids  # index/id, with several indices
    ]
    relevant = sum(qrels[query_id][doc_id] > 0 for query_id, doc_id in absent)
    sentences = []
    if lost:
        left_out = "it is left out" if len(lost) == 1 else "they are left out"
        sentences.append(
            f"{split} judges {counted(len(lost), 'query')} that queries.jsonl lacks ({_some(lost)}); {left_out}"
        )
    if absent:
        sentences.append(
            f"{len(absent)} of {counted(sum(map(len, qrels.values())), 'judgment')} in {split}"
            f" {'is' if len(absent) == 1 else 'are'} of documents that corpus.jsonl lacks"
            f" ({_some(list(dict.fromkeys(doc_id for _, doc_id in absent)))}); relevant ones ({relevant}) can never be"
            " found, and lower every score"
        )
    return tuple(sentences)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
