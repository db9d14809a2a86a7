"""Hard negatives from an index: non-relevant documents that retrieval ranks near a query's relevant ones."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence

from hybridrank.connector import HybridSearch, SearchRequest
from hybridrank.connector.passages import passage_text
from hybridrank.connector.request import RetrieverName
from hybridrank.connector.types import Hit
from hybridrank.evaluation.collections.document_names import DocumentNames
from hybridrank.training.neural.lists import RankedList
from hybridrank.training.neural.recipe import Mining

__all__ = ["beginnings", "choose", "draw", "mine", "window"]

UNREAD = ("vector", "token_vectors", "content_digest")  # fields of a stored document that are large and not text
LONG = (20, 80)  # words of a query that is the beginning of a document; half of a context of 160 tokens holds some 65


async def mine(
    search: HybridSearch,
    index: str,
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]] | None,
    mining: Mining,
    seed: int,
) -> AsyncIterator[RankedList]:
    """Yields one list per query, with the scores of the retrievers; none if the index has no relevant document.

    Without `qrels` nothing is judged, and a query is a document's own text with that document's id, which is left out.
    Document names are those of `DocumentNames`. Raises EngineError, SearchFailed, and AmbiguousId for a judgment that
    does not identify one of several indices.
    """
    names = await DocumentNames.of(search.engine, index)
    for query_id, query in queries.items():
        judged = {} if qrels is None else qrels[query_id]
        names.check(judged)
        found = await _search(search, index, query, mining.retrievers, mining.depth)
        hits = {name: hit for hit in found if (name := names.name(hit.key)) != query_id or qrels is not None}
        texts = {name: passage_text(hit.source) for name, hit in hits.items()}
        relevant = [names.key(name) for name, grade in judged.items() if grade > 0 and name not in texts]
        missed = await search.engine.sources(index, relevant, UNREAD) if relevant else {}
        texts |= {names.name(key): passage_text(source) for key, source in missed.items()}
        grades = {name: grade for name, grade in judged.items() if texts.get(name)}
        chosen = choose(list(hits), grades, mining, random.Random(f"{seed} {query_id}"))  # noqa: S311
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
    """Yields the first `size` retrieved documents of each query, on which a reranker is measured.

    The score "fused" defines the ranking.
    """
    names = await DocumentNames.of(search.engine, index)
    for query_id, query in queries.items():
        names.check(qrels[query_id])
        if found := await _search(search, index, query, retrievers, size):
            hits = {names.name(hit.key): hit for hit in found}
            texts = {name: passage_text(hit.source) for name, hit in hits.items()}
            listed = _list(query_id, query, list(hits), qrels[query_id], texts, hits, retrievers)
            yield listed.with_scores("fused", [hit.fused_score for hit in found])


def choose(ranking: Sequence[str], grades: Mapping[str, int], mining: Mining, rng: random.Random) -> tuple[str, ...]:
    """Chooses the documents of a list: the best graded relevant ones, the hardest negatives, then random ones.

    >>> choose(["a", "b", "c", "d"], {"c": 1}, Mining(documents=3, hardest=1), random.Random(1))
    ('c', 'a', 'b')
    """
    relevant = sorted((doc_id for doc_id, grade in grades.items() if grade > 0), key=lambda each: -grades[each])
    negatives = [doc_id for doc_id in ranking[: mining.depth] if grades.get(doc_id, 0) <= 0]
    hardest, others = negatives[: mining.hardest], negatives[mining.hardest :]
    kept = [*relevant[: mining.relevant], *hardest]
    return (*kept, *rng.sample(others, min(len(others), mining.documents - len(kept))))


def draw(
    queries: Mapping[str, str], count: int | None, kinds: Mapping[str, str], weights: Mapping[str, float], seed: int
) -> dict[str, str]:
    """Draws `count` queries by the seed; with `weights`, in proportion to the weight of their kind.

    `kinds` has the kind of each query (query_id → kind). The order is random.
    """
    rng = random.Random(seed)  # noqa: S311
    chances = {query_id: weights.get(kinds.get(query_id, ""), 0.0) if weights else 1.0 for query_id in queries}
    # A query's key is u ** (1 / weight): the largest keys are a weighted sample (Efraimidis and Spirakis 2006).
    keys = {query_id: rng.random() ** (1 / chance) for query_id, chance in chances.items() if chance}
    return {query_id: queries[query_id] for query_id in sorted(keys, key=lambda each: -keys[each])[:count]}


def beginnings(texts: Mapping[str, str], seed: int) -> dict[str, str]:
    """Returns the first words of each text, a random number by the seed within LONG; shorter texts are left out."""
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
    hits: Mapping[str, Hit],
    retrievers: Sequence[RetrieverName],
) -> RankedList:
    """A document that a retriever did not find gets the lowest score that the retriever gave."""
    scores: dict[str, tuple[float, ...]] = {}
    for name in retrievers:
        known = {doc_id: hit.retrievers[name].score for doc_id, hit in hits.items() if name in hit.retrievers}
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
