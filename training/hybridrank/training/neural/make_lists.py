"""The data of a recipe: lists that are mined from indexed collections and scored by the teacher."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from hybridrank.common.counts import counted
from hybridrank.connector import HybridSearch
from hybridrank.connector.passages import passage_text
from hybridrank.connector.queries.retrievers import RETRIEVERS
from hybridrank.connector.request import RetrieverName
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.evaluation.collections.beir import BeirFolder, Qrels
from hybridrank.evaluation.collections.judged import note_dangling
from hybridrank.evaluation.experiments.bench import Bench
from hybridrank.index_templates import IndexDefinition
from hybridrank.training.neural.errors import RecipeError
from hybridrank.training.neural.lists import RankedList, read_lists, write_lists
from hybridrank.training.neural.mining import beginnings, draw, mine, window
from hybridrank.training.neural.recipe import DataSource, Recipe
from hybridrank.training.neural.teacher import read_ordering, taught, without_false_negatives

__all__ = ["make_lists"]

SPARE = 1  # extra documents of a list, because one may be removed as a false negative
SCORE_TIMEOUT_S = 60.0
DEV_WINDOW = 30  # documents per query that measure a model in training
BATCH = 500  # documents per write to an index without vectors


@dataclass(frozen=True, slots=True)
class _Mined:
    """An index, the queries that were drawn, and their judgments; None if queries are documents."""

    index: str
    queries: Mapping[str, str]
    qrels: Qrels | None


async def make_lists(
    recipe: Recipe, collections: Path | None, folder: Path, open_bench: Callable[[], AbstractAsyncContextManager[Bench]]
) -> tuple[Path, Path]:
    """Writes the training and the dev lists of a recipe to `folder`, unless they exist, and returns both files.

    The file names contain the digest of everything that decides the lists. Raises RecipeError,
    CollectionError, EngineError and SidecarError.
    """
    digest = await asyncio.to_thread(recipe.lists_digest, collections)
    train, dev = (folder / f"{name}-{digest}.jsonl.gz" for name in ("train", "dev"))
    if train.exists() and dev.exists():
        return train, dev
    for source in (*recipe.dev, *recipe.train):
        if source.collection:  # fails now if the folder is missing
            data = _folder(source, collections)
            _ = data.queries() if source.index else next(iter(data.documents()), None)
    async with open_bench() as bench:
        measured = [each for source in recipe.dev for each in await _dev_lists(bench, recipe, source, collections)]
        if not any(each.has_relevant for each in measured):
            raise RecipeError("no list of dev has a relevant document; look at its collections, splits and files")
        write_lists(dev, measured)
        taken = [each for source in recipe.train for each in await _train_lists(bench, recipe, source, collections)]
        if not taken:
            raise RecipeError("no list of two or more documents is left to train on; look at mining.margin and kinds")
        write_lists(train, taken)
    return train, dev


async def _train_lists(bench: Bench, recipe: Recipe, source: DataSource, collections: Path | None) -> list[RankedList]:
    """Returns lists that are mined or read, scored by the teacher, without false negatives."""
    mining = recipe.mining.model_copy(update={"documents": recipe.mining.documents + SPARE})
    if source.retrievers:
        mining = mining.model_copy(update={"retrievers": source.retrievers})
    if source.lists:
        lists = _given(source, collections, recipe.seed)
    else:
        data = await _open(bench, recipe, source, mining.retrievers, collections)
        search = HybridSearch(bench.engine, bench.sidecar)
        lists = []
        total = source.repeats * len(data.queries)
        with bench.progress.step(f"mining {source.collection}: {counted(total, 'query')}", total) as advance:
            for repeat in range(source.repeats):
                seed = recipe.seed + repeat
                async for each in mine(search, data.index, data.queries, data.qrels, mining, seed):
                    lists.append(replace(each, collection=source.collection))
                    advance(1)
    scored = await _scored(bench, lists, recipe.teacher.models, source.collection or str(source.lists))
    ordering = read_ordering(recipe.teacher.ordering)
    whole = (taught(each, recipe.teacher, ordering) for each in scored)
    size = None if source.lists else recipe.mining.documents  # a list that somebody judged is whole
    kept = (without_false_negatives(each, mining.margin, size) for each in whole)
    return [each for each in kept if len(each.doc_ids) > 1]


async def _dev_lists(bench: Bench, recipe: Recipe, source: DataSource, collections: Path | None) -> list[RankedList]:
    """Returns the window of each query in the order of retrieval."""
    if source.lists:
        return _given(source, collections, recipe.seed)
    retrievers = source.retrievers or recipe.mining.retrievers
    data = await _open(bench, recipe, source, retrievers, collections)
    assert data.qrels is not None  # Recipe refuses a dev without judgments
    search = HybridSearch(bench.engine, bench.sidecar)
    return [
        replace(each, collection=source.collection)
        async for each in window(search, data.index, data.queries, data.qrels, retrievers, DEV_WINDOW)
    ]


def _given(source: DataSource, collections: Path | None, seed: int) -> list[RankedList]:
    """Returns the lists of a file that somebody made, of the sources that are wanted; as many as are wanted, drawn."""
    file = source.file_of_lists(collections)
    assert file
    lists = read_lists(file)
    found = [each for each in lists if source.sources == "all" or each.held_out == (source.sources == "held-out")]
    drawn = draw({each.query_id: each.query for each in found}, source.queries, {}, {}, seed)
    return [each.cut(source.words) for each in found if each.query_id in drawn]


async def _open(
    bench: Bench, recipe: Recipe, source: DataSource, retrievers: Sequence[RetrieverName], collections: Path | None
) -> _Mined:
    collection = _folder(source, collections)
    if source.queries_from == "documents":
        texts = {document.doc_id: passage_text(document.source) for document in collection.documents()}
        drawn = draw(beginnings(texts, recipe.seed), source.queries, {}, {}, recipe.seed)
        return _Mined(source.index or await _indexed(bench, collection, retrievers), drawn, None)
    qrels = collection.qrels(source.split)
    relevant = {query_id: grades for query_id, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    judged = {query_id: text for query_id, text in collection.queries().items() if query_id in relevant}
    kinds = collection.query_kinds() if source.kinds else {}
    queries = draw(judged, source.queries, kinds, source.kinds, recipe.seed)
    if not queries:
        raise RecipeError(f"{collection.folder}: no query of {source.split} is left to train on; look at kinds")
    if source.index:
        return _Mined(source.index, queries, qrels)
    note_dangling(bench.progress, qrels, collection.queries(), collection.documents(), source.split)
    return _Mined(await _indexed(bench, collection, retrievers), queries, qrels)


def _folder(source: DataSource, collections: Path | None) -> BeirFolder:
    return BeirFolder(Path(source.collection) if collections is None else collections / source.collection)


async def _indexed(bench: Bench, collection: BeirFolder, retrievers: Sequence[RetrieverName]) -> str:
    """Returns the name of an index of the collection, filled as needed; without kNN no vectors are made."""
    documents = list(collection.documents())
    index = bench.index_name(collection.name, collection.digest())
    if any(RETRIEVERS[name].needs_vector for name in retrievers):
        await bench.index(index, documents)
        return index
    if await bench.engine.create_index(lexical := f"{index}-lexical", IndexDefinition()):
        bench.created.append(lexical)
    with bench.progress.step(f"indexing {counted(len(documents), 'document')}", len(documents)) as advance:
        for start in range(0, len(documents), BATCH):
            batch = documents[start : start + BATCH]
            await bench.engine.index_documents(lexical, batch)
            advance(len(batch))
    await bench.engine.refresh(lexical)
    return lexical


async def _scored(bench: Bench, lists: Sequence[RankedList], models: Sequence[str], name: str) -> list[RankedList]:
    """Returns the lists with the scores of each of these models."""
    if not models:
        return list(lists)
    scored = []
    with bench.progress.step(f"scoring {name}: {counted(len(lists), 'list')}", len(lists)) as advance:
        for each in lists:
            passages = [Passage(doc_id, text) for doc_id, text in zip(each.doc_ids, each.texts, strict=True)]
            with_scores = each
            for model in models:
                scores = await bench.sidecar.rescore(
                    each.query, passages, model=model, timeout_s=SCORE_TIMEOUT_S, max_chunks=1
                )
                with_scores = with_scores.with_scores(model, [score.score for score in scores if score])
            scored.append(with_scores)
            advance(1)
    return scored
