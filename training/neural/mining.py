"""Hard negatives from an index: a query's relevant documents beside those that retrieval confuses with them."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence

from connector import HybridSearch, SearchRequest
from connector.passages import passage_text
from connector.request import RetrieverName
from connector.types import Hit
from training.neural.lists import RankedList
from training.neural.recipe import Mining

__all__ = ["beginnings", "choose", "draw", "mine", "window"]

UNREAD = ("vector", "token_vectors", "content_digest")  # of a stored document: large, and no text
LONG = (20, 80)  # words of a query that is the beginning of a document; half of a context of 160 tokens holds some 65


async def mine(
    search: HybridSearch,
    index: str,
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]] | None,
    mining: Mining,
    seed: int,
) -> AsyncIterator[RankedList]:
    """A list a query, with the scores of the retrievers; none where the index holds no relevant document.

    Without `qrels` nothing is judged, and a query is a document's own text, by whose id it goes: that one is left out.
    Raises EngineError and SearchFailed.
    """
    for query_id, query in queries.items():
        judged = {} if qrels is None else qrels[query_id]
        found = await _search(search, index, query, mining.retrievers, mining.depth)
        hits = [hit for hit in found if qrels is not None or hit.doc_id != query_id]
        texts = {hit.doc_id: passage_text(hit.source) for hit in hits}
        relevant = [doc_id for doc_id, grade in judged.items() if grade > 0 and doc_id not in texts]
        missed = await search.engine.sources(index, relevant, UNREAD) if relevant else {}
        texts |= {doc_id: passage_text(source) for doc_id, source in missed.items()}
        grades = {doc_id: grade for doc_id, grade in judged.items() if texts.get(doc_id)}
        chosen = choose([hit.doc_id for hit in hits], grades, mining, random.Random(f"{seed} {query_id}"))  # noqa: S311
        if len(chosen) > 1 and (qrels is None or grades.get(chosen[0], 0) > 0):
            yield _list(query_id, query, chosen, grades, texts, hits, mining.retrievers)


async def window(
    search: HybridSearch,
    index: str,
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
    retrievers: Sequence[RetrieverName],
    size: int,
) -> AsyncIterator[RankedList]:
    """The first `size` documents of each query as retrieval ranks them: what a reranker is measured on.

    "fused" among the scores is what the ranking is by.
    """
    for query_id, query in queries.items():
        if hits := await _search(search, index, query, retrievers, size):
            doc_ids = [hit.doc_id for hit in hits]
            texts = {hit.doc_id: passage_text(hit.source) for hit in hits}
            found = _list(query_id, query, doc_ids, qrels[query_id], texts, hits, retrievers)
            yield found.with_scores("fused", [hit.fused_score for hit in hits])


def choose(ranking: Sequence[str], grades: Mapping[str, int], mining: Mining, rng: random.Random) -> tuple[str, ...]:
    """The documents of a list, the relevant ones first: the best graded, the hardest negatives, others drawn.

    >>> choose(["a", "b", "c", "d"], {"c": 1}, Mining(documents=3, hardest=1), random.Random(1))
    ('c', 'a', 'd')
    """
    relevant = sorted((doc_id for doc_id, grade in grades.items() if grade > 0), key=lambda each: -grades[each])
    negatives = [doc_id for doc_id in ranking[: mining.depth] if grades.get(doc_id, 0) <= 0]
    hardest, others = negatives[: mining.hardest], negatives[mining.hardest :]
    kept = [*relevant[: mining.relevant], *hardest]
    return (*kept, *rng.sample(others, min(len(others), mining.documents - len(kept))))


def draw(
    queries: Mapping[str, str], count: int | None, kinds: Mapping[str, str], weights: Mapping[str, float], seed: int
) -> dict[str, str]:
    """`count` queries by the seed; with `weights`, those of each kind as often as its weight says, against the others.

    `kinds` has each query's (query_id → kind). The order is the drawing's.
    """
    rng = random.Random(seed)  # noqa: S311
    chances = {query_id: weights.get(kinds.get(query_id, ""), 0.0) if weights else 1.0 for query_id in queries}
    # A query's key is u ** (1 / weight): the largest keys are a weighted sample (Efraimidis and Spirakis 2006).
    keys = {query_id: rng.random() ** (1 / chance) for query_id, chance in chances.items() if chance}
    return {query_id: queries[query_id] for query_id in sorted(keys, key=lambda each: -keys[each])[:count]}


def beginnings(texts: Mapping[str, str], seed: int) -> dict[str, str]:
    """The first words of each text, as many as the seed draws within LONG; a text that has fewer is left out."""
    fewest, most = LONG
    found = {}
    for text_id, text in texts.items():
        words = text.split()
        count = random.Random(f"{seed} {text_id}").randint(fewest, most)  # noqa: S311
        if len(words) >= count:
            found[text_id] = " ".join(words[:count])
    return found


async def _search(
    search: HybridSearch, index: str, query: str, retrievers: Sequence[RetrieverName], size: int
) -> tuple[Hit, ...]:
    request = SearchRequest(
        index=index, query_text=query, retrievers=tuple(retrievers), size=size, encode_timeout_s=30.0
    )
    return (await search.search(request)).hits


def _list(
    query_id: str,
    query: str,
    doc_ids: Sequence[str],
    grades: Mapping[str, int],
    texts: Mapping[str, str],
    hits: Sequence[Hit],
    retrievers: Sequence[RetrieverName],
) -> RankedList:
    """What a retriever did not find scores as little as the last that it found."""
    found = {hit.doc_id: hit.retrievers for hit in hits}
    scores: dict[str, tuple[float, ...]] = {}
    for name in retrievers:
        known = {doc_id: each[name].score for doc_id, each in found.items() if name in each}
        least = min(known.values(), default=0.0)
        scores[name] = tuple(known.get(doc_id, least) for doc_id in doc_ids)
    return RankedList(
        query_id=query_id,
        query=query,
        doc_ids=tuple(doc_ids),
        texts=tuple(texts[doc_id] for doc_id in doc_ids),
        grades=tuple(grades.get(doc_id) for doc_id in doc_ids),
        scores=scores,
    )
