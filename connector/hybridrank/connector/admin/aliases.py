"""Moves an alias from one index to another in one step, so that searches through it always see a complete index.

Reindexing without a pause: fill a new index beside the one in use, check it, then move the alias. A `Swap` has the
results of the check and the planned changes; `swap` carries them out. Lifecycle policies (ILM, ISM) are not changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybridrank.common.counts import counted
from hybridrank.common.encoders import same_encoder
from hybridrank.connector.engines.base import RestApi
from hybridrank.connector.engines.rest import id_column
from hybridrank.connector.engines.rest.answers import reading, search_answer
from hybridrank.connector.engines.rest.paths import index_path, url_path
from hybridrank.connector.errors import EngineError, IndexMissing
from hybridrank.connector.mapping import fields
from hybridrank.connector.mapping.fields import Fields
from hybridrank.index_templates.vectors import TOKEN_VECTORS

__all__ = ["LEAST_SHARE", "Swap", "plan_swap", "swap"]

LEAST_SHARE = 0.9
"""Minimum share of the alias's documents in the new index: fewer look like an interrupted indexing run."""

_TOP = 10  # hits of a trial query that are compared: one page


@dataclass(frozen=True, slots=True)
class Swap:
    """Plan to move `alias` to `index`. `refusals` are reasons against it; `notes` are the differences.

    `before` are the current indices of the alias, none if it is new. `replaces` is True if the alias's name is still
    the name of an index, which must be deleted to free it. `shared` is the common share of the first ten hits of the
    trial queries, None without trial queries.
    """

    alias: str
    index: str
    before: tuple[str, ...]
    documents_before: int
    documents: int
    replaces: bool
    shared: float | None
    notes: tuple[str, ...]
    refusals: tuple[str, ...]
    actions: tuple[Mapping[str, Any], ...]


async def plan_swap(
    engine: RestApi,
    alias: str,
    index: str,
    *,
    least_share: float = LEAST_SHARE,
    queries: Sequence[str] = (),
    delete_old: bool = False,
) -> Swap:
    """Checks both sides; changes nothing except that it refreshes `index`, so that all its documents count.

    A trial query with hits through the alias must have hits in `index`. Raises EngineError, IndexMissing if there is no
    `index`.
    """
    found = await engine.described(index, "_mapping")
    if list(found) != [index]:
        raise EngineError(f"{index!r} is itself an alias, of {', '.join(sorted(found))}; name an index", reason="alias")
    settings = await _alias(engine, alias)
    current = await _mapping(engine, alias)
    replaces = alias in current
    documents = await _count(engine, index, settings)
    documents_before = await _count(engine, alias, {}) if current else 0
    shared, misses = await _trial(engine, alias, index, queries) if current else (None, ())
    refusals = [
        *_too_few(index, documents, documents_before, least_share),
        *(f"query {query!r} finds documents through {alias!r} and none in {index!r}" for query in misses),
    ]
    if replaces and alias != index and not delete_old:
        refusals.append(
            f"{alias!r} is an index, and an alias cannot have the name of one; --delete-old deletes it and puts the"
            f" alias in its place in one step. Or give searches another name: swap an alias that does not exist yet"
        )
    if replaces and alias == index:
        refusals.append(f"{alias!r} is the index itself; give the alias another name")
    before = tuple(sorted(current))
    return Swap(
        alias=alias,
        index=index,
        before=before,
        documents_before=documents_before,
        documents=documents,
        replaces=replaces,
        shared=shared,
        notes=tuple(_differences(current, found) if current else ()),
        refusals=tuple(refusals),
        actions=tuple(_actions(alias, index, before, settings, replaces=replaces)),
    )


async def swap(engine: RestApi, plan: Swap) -> None:
    """Moves the alias in one request; does nothing if somebody else has moved it since the plan.

    Raises EngineError.
    """
    if plan.actions:
        await engine.request("POST", "/_aliases", {"actions": list(plan.actions)})


def _actions(
    alias: str, index: str, before: Sequence[str], settings: Mapping[str, Any], *, replaces: bool
) -> list[dict[str, Any]]:
    """Builds the actions: off the old indices, which must still have the alias; onto the new one, with its options."""
    if tuple(before) == (index,):
        return []
    leave: list[dict[str, Any]] = (
        [{"remove_index": {"index": alias}}]
        if replaces
        else [{"remove": {"index": each, "alias": alias, "must_exist": True}} for each in before if each != index]
    )
    return [*leave, {"add": {"index": index, "alias": alias, **settings}}]


def _too_few(index: str, documents: int, before: int, least_share: float) -> list[str]:
    if documents and documents >= least_share * before:
        return []
    if not documents:
        return [f"{index!r} is empty"] if least_share > 0 else []
    return [
        f"{index!r} holds {counted(documents, 'document')}, and {before} are searched now, less than {least_share:.0%};"
        " --min-share allows fewer"
    ]


def _differences(current: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Describes known fields that the new index does not have, and vectors with another length or encoder."""
    with reading("_mapping"):
        before, after = fields.read(current), fields.read(new)
    lost = sorted(set(before.types) - set(after.types))
    notes = [f"fields that the new index lacks: {', '.join(lost)}"] if lost else []
    for name, dimensions in before.dimensions.items():
        if after.dimensions.get(name, dimensions) != dimensions:
            notes.append(
                f"vectors of {name!r} have {after.dimensions[name]} dimensions, not {dimensions}: from now on queries"
                " must be encoded by the new encoder"
            )
    return notes + _other_encoders(before, after)


def _other_encoders(before: Fields, after: Fields) -> list[str]:
    """Returns a sentence for each field whose vectors have another encoder, or none noted, in the new index."""
    found = []
    queried = {
        path: note for notes in before.encoders.values() for path, note in notes.items() if path != TOKEN_VECTORS
    }
    for path, old in sorted(queried.items()):
        new = next((notes[path] for notes in after.encoders.values() if path in notes), old)
        if old and not new:
            found.append(f"vectors of {path!r} were made by {old}, and the new index does not note what made its own")
        elif old and new and not same_encoder(old, new):
            found.append(
                f"vectors of {path!r} were made by {old} and are now by {new}: from now on queries must be encoded by"
                f" {new.name}, or searches leave out kNN (wrong_encoder)"
            )
    return found


async def _mapping(engine: RestApi, name: str) -> Mapping[str, Any]:
    try:
        return await engine.described(name, "_mapping")
    except IndexMissing:
        return {}


async def _alias(engine: RestApi, alias: str) -> dict[str, Any]:
    """Returns the alias's filter, routing and other options, which must be the same for all its indices."""
    try:
        found = await engine.request("GET", url_path("_alias", alias))
    except EngineError as error:
        if error.status != 404:
            raise
        return {}
    with reading(f"alias {alias!r}"):
        settings = [dict(each["aliases"][alias]) for each in found.values()]
        first = settings[0]
    for each in settings:
        each.pop("is_write_index", None)  # only selects among several indices; now there will be one
    if any(each != first for each in settings):
        raise EngineError(
            f"alias {alias!r} has another filter or routing on each of {', '.join(sorted(found))}; move it by hand",
            reason="alias",
        )
    return first


async def _count(engine: RestApi, name: str, settings: Mapping[str, Any]) -> int:
    """Counts the documents visible through the alias, all if it has no filter; raises if a shard does not answer."""
    await engine.request("POST", index_path(name, "_refresh"))
    answer = await engine.request(
        "POST", index_path(name, "_count"), {"query": settings.get("filter", {"match_all": {}})}
    )
    with reading(f"index {name!r}: _count"):
        is_whole, count = answer["_shards"]["successful"] >= answer["_shards"]["total"], int(answer["count"])
    if not is_whole:
        raise EngineError(f"{name!r} cannot be counted: not all its shards are up", reason="partial")
    return count


async def _trial(
    engine: RestApi, alias: str, index: str, queries: Sequence[str]
) -> tuple[float | None, tuple[str, ...]]:
    """Returns the overlap of first hits of the words in any field, and queries without hits only in the new index."""
    if not queries:
        return None, ()
    shares, misses = [], []
    for query in queries:
        before, after = await _top(engine, alias, query), await _top(engine, index, query)
        shares.append(len(before & after) / max(len(before), len(after), 1))
        if before and not after:
            misses.append(query)
    return sum(shares) / len(shares), tuple(misses)


async def _top(engine: RestApi, name: str, query: str) -> set[str]:
    body = {
        "query": {"multi_match": {"query": query, "fields": ["*"], "lenient": True}},
        "size": _TOP,
        "_source": False,
    }
    path = index_path(name, "_search")
    hits = search_answer(path, await engine.request("POST", path, body), scored=True)["hits"]["hits"]
    return {id_column.key(hit).doc_id for hit in hits}
