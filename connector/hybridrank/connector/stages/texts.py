"""Texts of the candidates for a reranker: their fields, and faults if texts are missing. Pure."""

from collections.abc import Sequence

from hybridrank.common.field_paths import field_values
from hybridrank.connector.faults import Reason
from hybridrank.connector.mapping.fields import Fields, unknown
from hybridrank.connector.passages import passage_text
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.connector.types import Hit

__all__ = ["passages", "text_faults", "text_fields"]


def text_fields(named: Sequence[str], fields: Fields) -> tuple[str, ...]:
    """Returns the paths of the named fields, or else of those that the index was created with."""
    wanted = named or tuple(fields.boosts)
    names = (name for each in wanted for name in fields.named(each))
    return tuple(dict.fromkeys(path for name in names for path in fields.stored(name)))


def passages(window: Sequence[Hit], paths: Sequence[str]) -> list[Passage]:
    """Returns the text of each candidate, or its best passage if the index has passages."""
    return [
        Passage(hit.doc_id, hit.passage.text if hit.passage else passage_text(hit.source, paths), index=hit.index)
        for hit in window
    ]


def text_faults(
    named: Sequence[str], index: str, fields: Fields, window: Sequence[Hit], texts: Sequence[Passage]
) -> list[tuple[Reason, str]]:
    """Returns reason and sentence of each fault: fields absent in mapping and candidates, or a window without text."""
    faults = [
        (Reason.BAD_FIELD, sentence)
        for name in named
        if (sentence := unknown(index, fields, name)) and not any(field_values(hit.source, name) for hit in window)
    ]
    if any(each.text for each in texts):
        return [(reason, f"{sentence}; scored by the other fields") for reason, sentence in faults]
    if faults:
        return faults
    read = ", ".join(text_fields(named, fields))
    if not named and all(unknown(index, fields, each) for each in fields.boosts):
        known = ", ".join(sorted(fields.types)) or "none"
        advice = f"name its text fields in `fields` of the request or of Rescore; it has {known}"
        return [
            (Reason.BAD_FIELD, f"index {index!r} has none of the fields {read}, which are read by default; {advice}")
        ]
    return [(Reason.NO_VALUES, f"no candidate has a text in {read}; all would score alike")]
