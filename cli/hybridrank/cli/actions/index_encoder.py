"""The encoder of an index's vectors: reads what the index records, and records it."""

from hybridrank.cli.session import open_engine, open_sidecar
from hybridrank.common.encoders import same_encoder
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.indexing import find_encoder
from hybridrank.index_templates import EncoderNote

__all__ = ["note_encoder", "noted_encoders"]


async def noted_encoders(address: str, index: str, field: str) -> list[str]:
    """Returns a line for each index behind the name. Raises EngineError for a field without vectors."""
    engine = await open_engine(address)
    try:
        return [_line(name, field, note) for name, note in (await _notes(engine, index, field)).items()]
    finally:
        await engine.close()


async def note_encoder(address: str, index: str, sidecar: str, field: str, model: str) -> list[str]:
    """Notes the sidecar's encoder in the index and returns a line per index. Raises EngineError and SidecarError."""
    engine = await open_engine(address)
    try:
        notes = await _notes(engine, index, field)
        async with open_sidecar(sidecar, needs=(model,)) as client:
            wanted = find_encoder(await client.models(), model).encoder
        for name, note in notes.items():
            if note and not same_encoder(note, wanted):
                raise EngineError(
                    f"index {name!r} notes that {note} made the vectors of {field!r}, not {wanted}; index anew with it"
                    " under a new name, and `hybridrank index swap` to it",
                    reason="wrong_encoder",
                )
        await engine.note_encoder(index, [field], wanted)
        return [_line(name, field, wanted) for name in notes]
    finally:
        await engine.close()


async def _notes(engine: Engine, index: str, field: str) -> dict[str, EncoderNote | None]:
    """Returns the notes by concrete index."""
    encoders = (await engine.fields(index)).dense_encoders
    found = {name: each[field] for name, each in encoders.items() if field in each}
    if not found:
        paths = ", ".join(sorted({path for each in encoders.values() for path in each})) or "none"
        raise EngineError(f"index {index!r} holds no vectors in {field!r}; fields that do: {paths}", reason="bad_field")
    return found


def _line(name: str, field: str, note: EncoderNote | None) -> str:
    return f"{name}: {field} " + (f"holds vectors of {note}" if note else "does not note what made its vectors")
