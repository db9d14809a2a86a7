"""Base of the models that make up a request: frozen, without unknown fields, and with texts that can be sent."""

from dataclasses import asdict, is_dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from hybridrank.common import json_values

__all__ = ["Sendable"]


class Sendable(BaseModel):
    """A model whose texts and numbers can be sent to engine and sidecar, in any field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    @field_validator("*", mode="after")
    @classmethod
    def _can_be_sent(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name != "query_vector" and (problem := json_values.problem(_plain(value))):
            raise ValueError(problem)
        return value


def _plain(value: Any) -> Any:
    """Returns filters as dicts of their fields."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
