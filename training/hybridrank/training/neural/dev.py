"""Quality of scores on the dev lists: alone, and blended half and half with the order of retrieval."""

from collections.abc import Mapping, Sequence

from hybridrank.connector.stages.blend import z_scores
from hybridrank.evaluation.measures.standard import evaluate
from hybridrank.training.neural.lists import RankedList

__all__ = ["ALONE", "BLENDED", "GIVEN", "MEASURE", "VECTORS", "dev_ndcg"]

MEASURE = "ndcg@10"
GIVEN, ALONE, BLENDED, VECTORS = "given", "alone", "blended", "vectors"


def dev_ndcg(
    lists: Sequence[RankedList],
    scores: Sequence[Sequence[float]],
    cosines: Sequence[Sequence[float]] | None = None,
) -> dict[str, dict[str, float]]:
    """Returns nDCG@10 of each collection and of "all": in the given order, by the scores alone, and blended.

    With `cosines`, also by those of the vectors. Only documents in the lists count, because a reranker cannot add what
    retrieval did not find. Lists without a relevant document are left out. Those without the score "fused" come in no
    order of retrieval, so there is nothing to blend with.
    """
    orders: dict[str, dict[str, tuple[str, ...]]] = {GIVEN: {}, ALONE: {}, BLENDED: {}, VECTORS: {}}
    qrels: dict[str, Mapping[str, int]] = {}
    collections: dict[str, list[str]] = {}
    for number, (each, found, vectors) in enumerate(zip(lists, scores, cosines or scores, strict=True)):
        grades = {doc_id: grade for doc_id, grade in zip(each.doc_ids, each.grades, strict=True) if grade}
        if not each.has_relevant:
            continue
        key = str(number)  # ids of two files may be the same
        qrels[key] = grades
        collections.setdefault(each.collection, []).append(key)
        before = each.scores.get("fused") or [-float(rank) for rank in range(len(each.doc_ids))]
        both = [mine + theirs for mine, theirs in zip(z_scores(found), z_scores(before), strict=True)]
        orders[GIVEN][key] = _order(each, before)
        orders[ALONE][key] = _order(each, found)
        orders[BLENDED][key] = _order(each, both if "fused" in each.scores else found)
        orders[VECTORS][key] = _order(each, vectors)
    measured: dict[str, dict[str, float]] = {}
    for name, rankings in orders.items():
        if name == VECTORS and cosines is None:
            continue
        per_query = {key: values[MEASURE] for key, values in evaluate(qrels, rankings, (MEASURE,)).per_query.items()}
        measured[name] = {
            collection: sum(per_query[key] for key in keys) / len(keys)
            for collection, keys in {**collections, "all": list(qrels)}.items()
        }
    return measured


def _order(each: RankedList, scores: Sequence[float]) -> tuple[str, ...]:
    best_first = sorted(range(len(scores)), key=lambda place: -scores[place])
    return tuple(each.doc_ids[place] for place in best_first)
