"""What `hybridrank doctor` finds: one line each, with what to do about it."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` says what to do when it is not ok."""

    subject: str
    state: Literal["ok", "note", "problem"]
    detail: str
    advice: str = ""
