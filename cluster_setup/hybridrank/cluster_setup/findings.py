"""Findings of `hybridrank doctor`: one line each, with advice."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check; `advice` says what to do if it is not ok."""

    subject: str
    state: Literal["ok", "note", "problem"]
    detail: str
    advice: str = ""
