"""Searching in OpenSearch and Elasticsearch: rankings, documents of a page, features."""

import asyncio
from abc import abstractmethod
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, ClassVar

from hybridrank.connector.engines.rest import fused, id_column, msearch
from hybridrank.connector.engines.rest.answers import reading, search_answer
from hybridrank.connector.engines.rest.cluster import Cluster
from hybridrank.connector.engines.rest.paths import index_path
from hybridrank.connector.engines.rest.refusals import Refusals
from hybridrank.connector.errors import EngineError, EngineTimeout, EngineUnreachable
from hybridrank.connector.fusion import Fusion, NativeForm
from hybridrank.connector.mapping import fields
from hybridrank.connector.mapping.encoders import feature_encoder_problem
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.queries import checks, documents
from hybridrank.connector.queries.retrievers import Bm25Query, Dialect, Query
from hybridrank.connector.types import DocumentKey, Retrieved
from hybridrank.ltr_features import Among, FeatureQuery, FeatureSet, features_body

__all__ = ["Searching"]


class Searching(Cluster):
    """Searches of a cluster. A subclass adds `_msearch`, its dialect and its native fusion."""

    dialect: ClassVar[Dialect]

    @cached_property
    def _unnamed(self) -> set[str]:
        """The indices in which some documents have no id column, as far as searches have seen."""
        return set()

    @cached_property
    def _refusals(self) -> Refusals:
        return Refusals()

    async def retrieve(self, index: str, queries: Mapping[str, Query]) -> dict[str, Retrieved | EngineError]:
        """Sends one `_msearch`; reads the mapping of an index first, so that a misspelt field is an error."""
        outcome: dict[str, Retrieved | EngineError] = {}
        bodies: dict[str, Any] = {}
        for name, query in queries.items():
            if error := self._refusals.of(index, query.name) or await self._query_error(index, query):
                outcome[name] = error
            else:
                bodies[name] = self._ranking_body(index, query, await self.fields_of(index))
        if bodies:
            try:
                responses = await self._responses(index, bodies)
            except EngineError as error:
                if error.status != 400 or len(bodies) == 1:
                    for name in bodies:
                        self._refusals.remember(index, queries[name].name, error)
                    raise
                return outcome | await self._each_alone(index, {name: queries[name] for name in bodies}, error)
            if await self._has_moved(index, responses.values()):
                return await self.retrieve(index, queries)
            again = {name: bodies[name] for name, response in responses.items() if msearch.lost_a_node(response)}
            if unnamed := [name for name, response in responses.items() if id_column.lacks_ids(response)]:
                self._unnamed.add(index)  # so that the next search does not try in vain
                bodies |= {name: id_column.from_stored(bodies[name]) for name in unnamed}
                again |= {name: bodies[name] for name in unnamed}
            try:
                responses |= await self._responses(index, again) if again else {}
            except EngineError:
                if len(again) == len(responses):
                    raise  # else the other retrievers keep their rankings
            mapped = await self.fields_of(index)
            if not msearch.holding(responses.values()).issubset(mapped.encoders):  # an alias moved between two of them
                responses = await self._responses(index, bodies)
            lacking = {name: checks.unsearched([queries[name]], mapped) for name in responses}
            outcome |= {name: msearch.retrieved(index, each, lacking[name]) for name, each in responses.items()}
        return outcome

    async def retrieve_fused(self, index: str, queries: Mapping[str, Query], fusion: Fusion) -> Retrieved:
        """Sends one `_search`; first checks once whether the server supports the fusion."""
        for query in queries.values():
            if error := self._refusals.of(index, query.name) or await self._query_error(index, query):
                raise error
        form = fusion.native(self.name, list(queries))
        if lack := await self._native_lack(form, len(queries)):
            raise EngineError(lack, reason="not_native")
        window = max(each.rank_window_size for each in queries.values())
        mapped = await self.fields_of(index)
        bodies = [checks.as_sent(each, index, mapped).body(self.dialect) for each in queries.values()]
        body = self._fused_body(bodies, form, window)
        answer = await self._search(index_path(index, "_search"), body, scored=True)
        if await self._has_moved(index, [answer]):
            return await self.retrieve_fused(index, queries, fusion)
        return fused.ranked(index, answer, scale=form.scale, lacking=checks.unsearched(list(queries.values()), mapped))

    async def highlight(
        self, index: str, query: Bm25Query, names: Sequence[str], keys: Sequence[DocumentKey]
    ) -> dict[DocumentKey, dict[str, tuple[str, ...]]]:
        """Sends one `_search` for these documents alone, so that only the page is highlighted, not the window."""
        if problem := await self._problem(index, partial(fields.absent, names=names)):
            raise EngineError(problem, reason="bad_field")
        body = checks.with_fields(query, await self.fields_of(index)).highlights(names, keys)
        answer = await self._documents(index, keys, body)
        return {
            id_column.key(hit): {name: tuple(fragments) for name, fragments in hit.get("highlight", {}).items()}
            for hit in answer["hits"]["hits"]
        }

    async def sources(
        self, index: str, keys: Sequence[DocumentKey], source_excludes: Sequence[str]
    ) -> dict[DocumentKey, Mapping[str, Any]]:
        """Sends one `_search` for these documents."""
        excluded = fields.without_vectors(source_excludes, await self.fields_of(index))
        answer = await self._documents(index, keys, documents.body(keys, _source={"excludes": list(excluded)}))
        return {id_column.key(hit): hit.get("_source", {}) for hit in answer["hits"]["hits"]}

    async def extract(
        self, index: str, feature_set: FeatureSet, query: FeatureQuery, keys: Sequence[DocumentKey]
    ) -> Mapping[str, Any]:
        """Sends one `_search` that returns the score of every named clause."""
        conflict = partial(feature_encoder_problem, feature_set=feature_set, query=query)
        if problem := await self._problem(index, conflict):
            raise EngineError(problem, reason="wrong_encoder")
        if problem := await self._problem(index, partial(fields.feature_problem, feature_set=feature_set, query=query)):
            raise EngineError(problem, reason="bad_field")
        vector = fields.feature_vector(await self.fields_of(index), feature_set, query.vector)
        about = replace(query, vector=vector)
        body = features_body(feature_set, about, Among(documents.among(keys), len(keys)), dialect=self.name)
        answer = await self._documents(index, keys, body, "include_named_queries_score=true")
        if await self._has_moved(index, [answer]):
            return await self.extract(index, feature_set, query, keys)
        return msearch.whole(index, answer)

    async def stored_token_vectors(self, index: str, keys: Sequence[DocumentKey]) -> dict[DocumentKey, bytes]:
        """Sends one `_search` for that field of these documents alone."""
        answer = await self._documents(index, keys, documents.body(keys, _source=["token_vectors"]))
        hits = msearch.whole(index, answer)["hits"]["hits"]
        found = ((id_column.key(hit), hit.get("_source", {}).get("token_vectors")) for hit in hits)
        with reading(f"index {index!r}: token_vectors"):
            return {key: b64decode(packed, validate=True) for key, packed in found if packed}

    async def _responses(self, index: str, bodies: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        responses = await self._msearch(msearch.lines(index, list(bodies.values())))
        return dict(zip(bodies, responses, strict=True))

    async def _each_alone(
        self, index: str, queries: Mapping[str, Query], refusal: EngineError
    ) -> dict[str, Retrieved | EngineError]:
        """Sends each query alone, all at once, after the server refused all for one that it does not know.

        A server without a plugin or of another version does not know `neural_sparse` or `sparse_vector`. Raises the
        refusal if it takes none, and EngineUnreachable and EngineTimeout, which say nothing about a query.
        """
        answers = await asyncio.gather(
            *(self.retrieve(index, {name: query}) for name, query in queries.items()), return_exceptions=True
        )
        outcome: dict[str, Retrieved | EngineError] = {}
        for name, answer in zip(queries, answers, strict=True):
            if isinstance(answer, EngineError) and not isinstance(answer, EngineUnreachable | EngineTimeout):
                outcome[name] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                outcome |= answer
        if all(isinstance(each, EngineError) for each in outcome.values()):
            raise refusal
        return outcome

    async def _query_error(self, index: str, query: Query) -> EngineError | None:
        for reason, find in checks.PROBLEMS.items():
            if problem := await self._problem(index, partial(find, query=query)):
                return EngineError(problem, reason=reason)
        checks.warn_of_query(repr(self), index, await self.fields_of(index), query)
        return None

    async def _problem(self, index: str, find: Callable[[str, Fields], str]) -> str:
        """Returns a mismatch with the index; reads the mapping again first, because an alias may have moved."""
        if not find(index, await self.fields_of(index)):
            return ""
        del self._fields[index]
        return find(index, await self.fields_of(index))

    async def _has_moved(self, index: str, answers: Iterable[Mapping[str, Any]]) -> bool:
        """True if an alias pointed to an index with an unknown mapping; it is then read, to check the query."""
        unknown = msearch.holding(answers).difference((await self.fields_of(index)).encoders)
        if not unknown:
            return False
        self._fields.pop(index, None)
        return not unknown.isdisjoint((await self.fields_of(index)).encoders)

    async def _documents(
        self, index: str, keys: Sequence[DocumentKey], body: Mapping[str, Any], parameters: str = ""
    ) -> Mapping[str, Any]:
        """Sends one search for these documents, through `index`.

        Documents of an index that the alias no longer points to are then requested from that index itself.
        """
        answer = await self._search(f"{index_path(index, '_search')}?{parameters}", body, scored=False)
        hits = answer["hits"]["hits"]
        lost = {key.index for key in set(keys).difference(map(id_column.key, hits))}
        if not lost or not (left := lost.difference(await self.indices(index))):
            return answer
        path = f"{index_path(','.join(sorted(left)), '_search')}?ignore_unavailable=true&{parameters}"
        more = await self._search(path, body, scored=False)
        return {**answer, "hits": {"hits": [*hits, *more["hits"]["hits"]]}}

    async def _search(self, path: str, body: Mapping[str, Any], *, scored: bool) -> Mapping[str, Any]:
        """Sends one search; repeats it if a node left during it, which a 500 may indicate."""
        try:
            answer = search_answer(path, await self._send("POST", path, body), scored=scored)
        except EngineError as error:
            if error.status != 500:
                raise
        else:
            if not msearch.lost_a_node(answer):
                return answer
        return search_answer(path, await self._send("POST", path, body), scored=scored)

    def _ranking_body(self, index: str, query: Query, mapped: Fields) -> dict[str, Any]:
        """Builds the body; reads ids by column if nothing else of the documents is needed."""
        query = checks.as_sent(query, index, mapped)
        named = mapped.has_ids and index not in self._unnamed
        body = query.body(self.dialect)
        return body if query.with_sources or query.path or not named else id_column.by_column(body)

    @abstractmethod
    async def _msearch(self, request_lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]: ...

    @abstractmethod
    async def _native_lack(self, form: NativeForm, queries: int) -> str:
        """Returns the reason why the server cannot compute this fusion, empty if it can; the server is asked once."""

    @abstractmethod
    def _fused_body(
        self, bodies: Sequence[Mapping[str, Any]], form: NativeForm, rank_window_size: int
    ) -> dict[str, Any]:
        """Returns one search that fuses the bodies of the retrievers."""
