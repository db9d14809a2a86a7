"""Several embedded indices behind one name, as a server's alias has them."""

from dataclasses import replace

from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.types import Retrieved


class Alias:
    """A real engine whose indices answer together, whatever name is searched."""

    def __init__(self, inner: EmbeddedEngine, indices) -> None:
        self.inner, self.names = inner, tuple(indices)

    async def retrieve(self, index, queries):
        found = [await self.inner.retrieve(name, queries) for name in self.names]
        merged = {}
        for name in queries:
            ranked = [each for answers in found for each in answers[name].ranking]
            ranked.sort(key=lambda each: (-each.score, each.key))
            merged[name] = Retrieved(tuple(replace(each, rank=rank) for rank, each in enumerate(ranked, 1)))
        return merged

    async def indices(self, index):
        return self.names

    async def fields_of(self, index):
        return await self.inner.fields_of(self.names[0])

    async def sources(self, index, keys, source_excludes):
        return await self._together("sources", keys, source_excludes)

    async def highlight(self, index, query, names, keys):
        return await self._together("highlight", query, names, keys)

    async def stored_token_vectors(self, index, keys):
        return await self._together("stored_token_vectors", keys)

    async def extract(self, index, features, query, keys):
        found = [await self.inner.extract(each, features, query, keys) for each in self.names]
        return {"hits": {"hits": [hit for each in found for hit in each["hits"]["hits"]]}}

    async def _together(self, method, *asked):
        found = [await getattr(self.inner, method)(each, *asked) for each in self.names]
        return {key: value for each in found for key, value in each.items()}
