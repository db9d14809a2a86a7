"""Errors of Python and pydantic as text for people: the file or field and the reason, without codes and types."""

from collections.abc import Iterable, Mapping

__all__ = ["os_problem", "wrong_value", "wrong_values"]

_PREFIXES = ("Value error, ", "Assertion failed, ")


def os_problem(error: OSError) -> str:
    """Returns the file and the reason, if the system gives them.

    >>> os_problem(FileNotFoundError(2, "No such file or directory", "ann.jsonl"))
    'ann.jsonl: No such file or directory'
    >>> os_problem(OSError("cannot listen on 127.0.0.1:80"))
    'cannot listen on 127.0.0.1:80'
    """
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def wrong_value(error: Mapping[str, object]) -> str:
    """Returns the reason of one entry of pydantic's `ValidationError.errors()`.

    >>> wrong_value({"type": "value_error", "loc": ("cuts",), "msg": "Value error, the cuts do not rise"})
    'the cuts do not rise'
    """
    message = str(error["msg"])
    return next((message.removeprefix(each) for each in _PREFIXES if message.startswith(each)), message)


def wrong_values(errors: Iterable[Mapping[str, object]], whole: str = "the file") -> str:
    """Joins all of `ValidationError.errors()`, each after its field, or after `whole` if it has no single field.

    >>> wrong_values([{"loc": ("train", 0), "msg": "Field required"}, {"loc": (), "msg": "Value error, no queries"}])
    'train.0: Field required; the file: no queries'
    """
    return "; ".join(f"{_place(each) or whole}: {wrong_value(each)}" for each in errors)


def _place(error: Mapping[str, object]) -> str:
    place = error["loc"]
    return ".".join(map(str, place)) if isinstance(place, tuple) else ""
