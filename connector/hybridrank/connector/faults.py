"""Separates configuration faults from operational ones; the only place that does. Pure.

A configuration fault occurs in every search until somebody changes the request, the index or the sidecar: a misspelt
field, a model that is not loaded, a vector of another length. An operational fault is temporary, or specific to the
data of one search: a timeout, a failed shard, a text that a model cannot read.

A strict search fails on the first kind and degrades on the second. Unclear faults count as operational.
"""

__all__ = ["CONFIGURATION", "OPERATIONAL", "is_configuration"]

CONFIGURATION = frozenset(
    {
        "bad_field",  # the index does not have the field, or its vectors have another length
        "bad_filter",  # a field of that type cannot match the filter
        "bad_name",
        "index_missing",
        "invalid",  # the sidecar cannot serve such a request: no reranker, another feature set, another codec
        "model_missing",
        "no_token_vectors",  # the index has none at all
        "not_writable",  # the index accepts no documents until somebody changes it
        "not_native",  # the server, its licence or the feature set does not allow fusion in the engine
        "refused",  # the key, the password or the certificate
        "sidecar_missing",
        "unimplemented",  # the server at the sidecar's address is not a sidecar, or an old one
        "unsupported",  # this engine does not support it at all
        "wrong_dimensions",
        "wrong_encoder",
        # of index creation and administration
        "alias",
        "bad_synonyms",
        "not_an_engine",
        "wrong_language",
        "wrong_subfields",
        "wrong_synonyms",
        "wrong_vectors",
    }
)
OPERATIONAL = frozenset(
    {
        "bad_answer",
        "bad_scores",
        "circuit_open",
        "engine_error",
        "no_values",  # the field exists, but is empty in this ranking
        "not_fused",
        "not_written",
        "overloaded",
        "partial",
        "sidecar_error",
        "timeout",
        "too_many_clauses",  # this query has very many words
        "token_vectors",  # some of these candidates have none
        "unreachable",
        "unreadable",  # this query or passage, not every one
    }
)
"""Every reason word of ours is in one of the two sets."""

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
    if reason in CONFIGURATION or reason in OPERATIONAL:
        return reason in CONFIGURATION
    return status in _CONFIGURATION_STATUSES and reason not in _OF_THIS_SEARCH
