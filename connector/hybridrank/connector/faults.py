"""The one place that tells configuration faults from operational ones. Pure.

A configuration fault comes back with every search until somebody changes the request, the index or the sidecar: a
misspelt field, a model that is not loaded, a vector of another length. An operational fault passes, or comes with the
data of this one search: a timeout, a failed shard, a text that a model cannot read.

A strict search fails on the first kind and degrades on the second. What is in doubt counts as operational.
"""

__all__ = ["CONFIGURATION", "OPERATIONAL", "is_configuration"]

CONFIGURATION = frozenset(
    {
        "bad_field",  # the index lacks the field, or holds vectors of another length in it
        "bad_filter",  # what the filter asks cannot match in a field of that type
        "bad_name",
        "index_missing",
        "invalid",  # the sidecar cannot serve such a request: no reranker, another feature set, another codec
        "model_missing",
        "no_token_vectors",  # the index holds none at all
        "not_writable",  # the index takes no documents until somebody changes it
        "not_native",  # the server, its licence or the feature set rule out fusion in the engine
        "refused",  # the key, the password or the certificate
        "sidecar_missing",
        "unimplemented",  # what listens at the sidecar's address is none, or an old one
        "unsupported",  # this engine cannot do that at all
        "wrong_dimensions",
        "wrong_encoder",
        # of making an index and of administration
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
        "no_values",  # the field is there, but empty in this ranking
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
"""Every word of ours is in one of the two sets."""

_CONFIGURATION_STATUSES = frozenset({400, 401, 403, 404})
_OF_THIS_SEARCH = frozenset(
    {"index_closed_exception", "task_cancelled_exception", "too_many_clauses", "too_many_nested_clauses"}
)
"""What engines answer with status 400 although the next search may well succeed: they were closed, cancelled, or asked
for very many words."""


def is_configuration(reason: str, status: int = 0) -> bool:
    """Whether every search of its kind meets this fault. `status` is the engine's HTTP status; 0 where it has none.

    A word that is not ours is the engine's, whose status then decides.

    >>> is_configuration("bad_field"), is_configuration("timeout")
    (True, False)
    >>> is_configuration("parsing_exception", 400), is_configuration("circuit_breaking_exception", 429)
    (True, False)
    """
    if reason in CONFIGURATION or reason in OPERATIONAL:
        return reason in CONFIGURATION
    return status in _CONFIGURATION_STATUSES and reason not in _OF_THIS_SEARCH
