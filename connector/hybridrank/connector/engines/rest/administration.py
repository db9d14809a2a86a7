"""Administration of indices in OpenSearch and Elasticsearch: their templates, their notes, documents in."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from hybridrank import index_templates
from hybridrank.connector.engines.documents import IndexReport, fitting
from hybridrank.connector.engines.index_names import check_name, check_new_name
from hybridrank.connector.engines.rest.answers import reading
from hybridrank.connector.engines.rest.bulk import BulkWriter
from hybridrank.connector.engines.rest.cluster import Cluster
from hybridrank.connector.engines.rest.paths import index_path, url_path
from hybridrank.connector.errors import EngineError, IndexMissing
from hybridrank.connector.mapping.existing import check_index
from hybridrank.connector.mapping.filter_values import cut_short
from hybridrank.connector.mapping.machine_fields import machine_fields
from hybridrank.connector.types import Document
from hybridrank.index_templates import EncoderNote, IndexDefinition
from hybridrank.index_templates.sparse import lacks_sparse
from hybridrank.index_templates.vectors import lacks

__all__ = ["Administration"]


class Administration(Cluster):
    """Index administration of a cluster. A subclass adds `_bulk`."""

    @cached_property
    def _writer(self) -> BulkWriter:
        return BulkWriter(self._bulk)

    async def plan_index(self, index: str, definition: IndexDefinition) -> tuple[str, ...]:
        """Returns the diff lines of the index template on the server."""
        mappings = await self._mappings(index)
        current = await self.template(index)
        fitted = await self._fitting(definition, current)
        for concrete, mapping in mappings.items():
            check_index(self.name, concrete, mapping["mappings"], fitted)
        return index_templates.changes(current, index_templates.render(self.name, index, fitted))

    async def create_index(self, index: str, definition: IndexDefinition) -> bool:
        """Updates the template, then creates the index from it."""
        mappings = await self._mappings(index)
        current = await self.template(index)
        fitted = await self._fitting(definition, current)
        wanted = index_templates.render(self.name, index, fitted)
        if mappings and definition.synonyms not in (
            (),
            index_templates.carried_over(IndexDefinition(), current).synonyms,
        ):
            raise EngineError(
                f"index {index!r} is there already; `hybridrank index synonyms` gives it other synonyms",
                reason="wrong_synonyms",
            )
        for concrete, mapping in mappings.items():
            check_index(self.name, concrete, mapping["mappings"], fitted)
        if index_templates.changes(current, wanted):
            await self._send("PUT", url_path("_index_template", index_templates.template_name(index)), wanted)
        if not mappings:
            await self._send("PUT", index_path(index), {})
        elif definition.boosts is not None:
            boosts = wanted["template"]["mappings"]["_meta"]["hybridrank"]["boosts"]
            await self._note(index, mappings, {"boosts": boosts})
        return not mappings

    async def delete_index(self, index: str) -> bool:
        """Deletes the index and its template."""
        check_name(index)
        await self._delete(url_path("_index_template", index_templates.template_name(index)))
        self._fields.pop(index, None)
        return await self._delete(index_path(index))

    async def template(self, index: str) -> Mapping[str, Any] | None:
        """Returns our part of the index template that `create_index` makes; None if there is none."""
        try:
            found = await self._send("GET", url_path("_index_template", index_templates.template_name(index)))
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        with reading(f"index {index!r}: _index_template"):
            template = found["index_templates"][0]["index_template"]
            return {key: template[key] for key in index_templates.TEMPLATE_KEYS if key in template}

    async def note_encoder(self, index: str, paths: Sequence[str], encoder: EncoderNote) -> None:
        """Writes the note to the `_meta` of the mapping, beside the notes of others."""
        mappings = await self.described(index, "_mapping")
        await self._note(index, mappings, {"encoders": dict.fromkeys(paths, encoder.as_json())})

    async def check_writable(self, index: str) -> None:
        """Sends one `_bulk` that writes nothing, to an existing index, because servers would create a missing one."""
        await self.described(index, "_mapping")
        await self._writer.check(index)

    async def index_documents(self, index: str, documents: Sequence[Document]) -> IndexReport:
        """Writes by bulk; see `BulkWriter` for retries and rejections."""
        mapped = await self.fields_of(index)
        taken, rejected = fitting(documents, lambda each: cut_short(mapped.filtered, each.source))
        stored = ((each.doc_id, dict(each.source) | machine_fields(each, mapped)) for each in taken)
        rejected += await self._writer.write(index, stored)
        self._fields.pop(index, None)
        return IndexReport(len(documents) - len(rejected), tuple(rejected))

    async def stored_digests(self, index: str, doc_ids: Sequence[str]) -> dict[str, str]:
        """Sends one `_mget` for the digests."""
        if not doc_ids:
            return {}
        ids_path = f"{index_path(index, '_mget')}?_source_includes=content_digest"
        response = await self._send("POST", ids_path, {"ids": list(doc_ids)})
        with reading(ids_path):
            found = (each for each in response["docs"] if each.get("found"))
            return {each["_id"]: str(each["_source"].get("content_digest", "")) for each in found}

    async def refresh(self, index: str) -> int:
        """Calls `_refresh`, then `_count`."""
        await self._send("POST", index_path(index, "_refresh"))
        counted = await self._send("GET", index_path(index, "_count"))
        with reading(f"index {index!r}: _count"):
            return int(counted["count"])

    async def _note(self, index: str, mappings: Mapping[str, Any], notes: Mapping[str, Any]) -> None:
        for concrete, each in mappings.items():
            meta = index_templates.with_notes(each["mappings"], notes)
            await self._send("PUT", index_path(concrete, "_mapping"), {"_meta": meta})
        self._fields.pop(index, None)

    async def _delete(self, path: str) -> bool:
        """Returns False if there is nothing at the path."""
        try:
            await self._send("DELETE", path)
        except EngineError as error:
            if error.status != 404:
                raise
            return False
        return True

    async def _fitting(self, definition: IndexDefinition, template: Mapping[str, Any] | None = None) -> IndexDefinition:
        info = await self.info()
        if lack := lacks(self.name, info.version, definition.dimensions, definition.vectors):
            raise EngineError(lack, reason="unsupported")
        if definition.sparse and (lack := lacks_sparse(self.name, info.version)):
            raise EngineError(lack, reason="unsupported")
        if definition.synonyms and "synonyms" not in info.capabilities:
            raise EngineError(f"{self.name} at {self.url} has no filter for synonyms", reason="unsupported")
        return index_templates.fitting(index_templates.carried_over(definition, template), info.capabilities)

    async def _mappings(self, index: str) -> Mapping[str, Any]:
        """Returns mappings by concrete index; empty if there is none yet. Raises EngineError for an invalid name."""
        check_name(index)
        try:
            return await self.described(index, "_mapping")
        except IndexMissing:
            check_new_name(index)
            return {}

    @abstractmethod
    async def _bulk(self, lines: bytes) -> Mapping[str, Any]: ...
