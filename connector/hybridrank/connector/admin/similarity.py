"""BM25's k1 and b in an index in use: settings that a server changes while the index is closed.

No document is rewritten, because Lucene stores lengths and frequencies and computes BM25 at search time. The index
template does not change: a recreated index has the template's k1 and b.
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from hybridrank.connector.engines.base import RestApi
from hybridrank.connector.engines.rest.answers import reading
from hybridrank.connector.engines.rest.paths import index_path

__all__ = ["Bm25Settings", "bm25_settings", "change_bm25_settings"]


class Bm25Settings(BaseModel):
    """Term-frequency saturation (k1; 0: immediate) and field-length normalisation (b).

    The defaults are Lucene's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    k1: float = Field(1.2, ge=0)
    b: float = Field(0.75, ge=0, le=1)


async def bm25_settings(engine: RestApi, index: str) -> dict[str, Bm25Settings]:
    """Returns the settings of each index of `index`, possibly an alias. Raises EngineError, IndexMissing."""
    found = await engine.described(index, "_settings")
    with reading(f"index {index!r}: _settings"):
        return {name: _read(each["settings"]["index"].get("similarity", {})) for name, each in found.items()}


async def change_bm25_settings(engine: RestApi, index: str, wanted: Bm25Settings) -> tuple[str, ...]:
    """Sets BM25's parameters for searches of `index`, and returns the names of the indices.

    Each index is closed and reopened, unless it already has these settings; a search during that time fails. Raises
    EngineError; the index is then open, too.
    """
    found = await bm25_settings(engine, index)
    for name, current in found.items():
        if current == wanted:
            continue
        await engine.request("POST", index_path(name, "_close"))
        try:
            default = {"type": "BM25", "k1": wanted.k1, "b": wanted.b}
            await engine.request("PUT", index_path(name, "_settings"), {"index": {"similarity": {"default": default}}})
        finally:
            await engine.request("POST", index_path(name, "_open"))
    return tuple(found)


def _read(similarities: Mapping[str, Mapping[str, str]]) -> Bm25Settings:
    default = similarities.get("default", {})
    return Bm25Settings.model_validate({name: default[name] for name in ("k1", "b") if name in default})
