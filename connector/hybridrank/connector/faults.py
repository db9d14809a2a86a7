"""Separates configuration faults from operational ones; the only place that does. Pure.

A configuration fault occurs in every search until somebody changes the request, the index or the sidecar: a misspelt
field, a model that is not loaded, a vector of another length. An operational fault is temporary, or specific to the
data of one search: a timeout, a failed shard, a text that a model cannot read.

A strict search fails on the first kind and degrades on the second. Unclear faults count as operational.
"""

from enum import Enum

from typing_extensions import Self

__all__ = ["Reason", "is_configuration"]


class Reason(str, Enum):
    """Reason of a left-out part of a search, in a word of ours; engines have further ones. docs/connector.md lists all.

    >>> Reason.TIMEOUT == "timeout", Reason.TIMEOUT.configuration
    (True, False)
    """

    configuration: bool

    def __new__(cls, word: str, configuration: bool) -> Self:  # noqa: FBT001
        """Creates a member whose value is the word."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.configuration = configuration
        return member

    # Configuration faults
    BAD_FIELD = "bad_field", True
    BAD_FILTER = "bad_filter", True
    BAD_NAME = "bad_name", True
    INDEX_MISSING = "index_missing", True
    INVALID = "invalid", True
    MODEL_MISSING = "model_missing", True
    NO_TOKEN_VECTORS = "no_token_vectors", True
    NOT_AN_ENGINE = "not_an_engine", True
    NOT_NATIVE = "not_native", True
    REFUSED = "refused", True
    SIDECAR_MISSING = "sidecar_missing", True
    UNIMPLEMENTED = "unimplemented", True
    UNSUPPORTED = "unsupported", True
    WRONG_ENCODER = "wrong_encoder", True

    # Operational faults
    BAD_ANSWER = "bad_answer", False
    BAD_SCORES = "bad_scores", False
    CIRCUIT_OPEN = "circuit_open", False
    ENGINE_ERROR = "engine_error", False
    NO_VALUES = "no_values", False
    NOT_FUSED = "not_fused", False
    NOT_WRITTEN = "not_written", False
    OVERLOADED = "overloaded", False
    PARTIAL = "partial", False
    SIDECAR_ERROR = "sidecar_error", False
    TIMEOUT = "timeout", False
    TOKEN_VECTORS = "token_vectors", False
    TOO_MANY_CLAUSES = "too_many_clauses", False
    UNREACHABLE = "unreachable", False
    UNREADABLE = "unreadable", False


_OURS = {each.value: each for each in Reason}
_CONFIGURATION_STATUSES = frozenset({400, 401, 403, 404})
_OF_THIS_SEARCH = frozenset(
    {"index_closed_exception", "task_cancelled_exception", "too_many_clauses", "too_many_nested_clauses"}
)
"""Reasons that engines return with status 400 although the next search may succeed: closed, cancelled, or very many
words."""


def is_configuration(reason: str, status: int = 0) -> bool:
    """Returns True if every search of its kind meets this fault. `status` is the engine's HTTP status, 0 if none.

    For a word that is not ours, the engine's status decides.

    >>> is_configuration("bad_field"), is_configuration("timeout")
    (True, False)
    >>> is_configuration("parsing_exception", 400), is_configuration("circuit_breaking_exception", 429)
    (True, False)
    """
    if reason in _OURS:
        return _OURS[reason].configuration
    return status in _CONFIGURATION_STATUSES and reason not in _OF_THIS_SEARCH
