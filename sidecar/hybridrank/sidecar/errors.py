"""Every error with which the sidecar answers a call.

CallError
├── InvalidArgument      the request cannot be served as it is (.field)
│   └── UnknownField     a field that the API does not have
├── ModelNotFound        no such model (.model, .loaded)
├── TooLarge             the body is over the limit
├── Unauthenticated      no valid key
├── Overloaded           the queue is full (.retry_after_s)
├── DeadlineUnreachable  the deadline would pass first; refused at once
├── DeadlinePassed       the deadline passed first
├── NotAllowed           the settings forbid it
├── Draining             the server is shutting down
├── BadScore             a model returned a number that is not finite
├── RemoteFailed         a model that is served elsewhere did not give a good answer (.model)
├── InternalError        a bug; the log has it
└── ModelRefused         the model folder of a call cannot be loaded

`transport/status.py` maps each to a status. No message repeats the text of a query or a passage.
"""

from collections.abc import Sequence

from hybridrank.common.errors import HybridrankError

__all__ = [
    "BadScore",
    "CallError",
    "DeadlinePassed",
    "DeadlineUnreachable",
    "Draining",
    "InternalError",
    "InvalidArgument",
    "ModelNotFound",
    "ModelRefused",
    "NotAllowed",
    "Overloaded",
    "RemoteFailed",
    "TooLarge",
    "Unauthenticated",
    "UnknownField",
]


class CallError(HybridrankError):
    """Base class of every error with which the sidecar answers a call."""


class InvalidArgument(CallError):
    """The request cannot be served as it is; `field` is its name in rerank.proto."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class UnknownField(InvalidArgument):
    """The called API has no such field; it may be misspelt."""

    def __init__(self, field: str, hint: str) -> None:
        super().__init__(field, f"is not a field of this API; {hint}")


class ModelNotFound(CallError):
    """No loaded model has this name, name:version or alias."""

    def __init__(self, model: str, loaded: Sequence[str]) -> None:
        known = f"loaded are {', '.join(loaded)}" if loaded else "none is loaded"
        super().__init__(f"model {model!r} is not loaded; {known}")
        self.model = model
        self.loaded = tuple(loaded)


class TooLarge(CallError):
    """The body is over the limit; the rest of it was not read."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the body is over {max_bytes} bytes; send fewer or shorter texts at once")


class Unauthenticated(CallError):
    """The call had no valid key; callers do not learn what was wrong with it."""

    def __init__(self) -> None:
        super().__init__("unauthenticated")


class Overloaded(CallError):
    """There is no room for the request; it was refused at once and nothing of it was computed."""

    def __init__(self, why: str, retry_after_s: int) -> None:
        super().__init__(f"{why}; retry in {retry_after_s} s, or send fewer or shorter passages")
        self.retry_after_s = retry_after_s


class DeadlineUnreachable(CallError):
    """At the measured speed the deadline might pass before the answer; nothing of the request was computed."""

    def __init__(self, needed_s: float, remaining_s: float) -> None:
        super().__init__(
            f"this request and those before it need about {1000 * needed_s:.0f} ms; {1000 * remaining_s:.0f} are left, "
            "too few to promise it; send fewer or shorter passages, allow more time, or ask for best_effort"
        )


class DeadlinePassed(CallError):
    """The deadline passed while the request waited or was computed; its caller has left."""

    def __init__(self, ready: int, asked: int) -> None:
        super().__init__(f"the deadline passed when {ready} of {asked} were ready; ask for best_effort to get those")


class NotAllowed(CallError):
    """The sidecar's settings forbid this call for every caller."""

    def __init__(self, setting: str) -> None:
        super().__init__(f"not allowed here; start the sidecar with {setting} on")


class Draining(CallError):
    """The server finishes running calls and accepts no new ones."""

    def __init__(self) -> None:
        super().__init__("the sidecar is shutting down; send the request to another one")


class BadScore(CallError):
    """A model returned a number that is not finite for a text, `field`; it must not be used in a ranking."""

    def __init__(self, model: str, field: str) -> None:
        super().__init__(f"model {model} returned a number that is not finite for {field}")
        self.model = model
        self.field = field


class RemoteFailed(CallError):
    """A model that is served elsewhere did not give a good answer; `problem` has nothing of its text."""

    def __init__(self, model: str, problem: str) -> None:
        super().__init__(f"{model} is served elsewhere and {problem}")
        self.model = model
        self.problem = problem


class InternalError(CallError):
    """Something failed unexpectedly; the log, not the message, has the details."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"internal error; the sidecar's log has it under request id {request_id}")


class ModelRefused(CallError):
    """The model folder that a call names cannot be loaded; the serving models continue."""
