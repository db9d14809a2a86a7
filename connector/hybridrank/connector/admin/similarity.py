"""BM25's k1 and b in an index that is searched already: settings that a server changes while the index is closed.

Nothing is written anew, since Lucene stores lengths and frequencies and computes BM25 when it searches. The index
template stays as it is: an index that is made again has the template's k1 and b.
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from hybridrank.connector.engines.rest.answers import reading
from hybridrank.connector.engines.rest.engine import RestEngine
from hybridrank.connector.engines.rest.paths import index_path

__all__ = ["Bm25Settings", "bm25_settings", "change_bm25_settings"]


class Bm25Settings(BaseModel):
    """How soon more of a word stops counting (k1; 0: at once), and how much a long field is held against it (b).

    The defaults are Lucene's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    k1: float = Field(1.2, ge=0)
    b: float = Field(0.75, ge=0, le=1)


async def bm25_settings(engine: RestEngine, index: str) -> dict[str, Bm25Settings]:
    """Those of each index that `index`, which may be an alias, stands for. Raises EngineError, IndexMissing."""
    found = await engine.described(index, "_settings")
    with reading(f"index {index!r}: _settings"):
        return {name: _read(each["settings"]["index"].get("similarity", {})) for name, each in found.items()}


async def change_bm25_settings(engine: RestEngine, index: str, wanted: Bm25Settings) -> tuple[str, ...]:
    """Have searches of `index` count so, and return the names of the indices.

    Each is closed and opened again, unless it counts so already; a search that comes in between fails. Raises
    EngineError; the index is open then too.
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
