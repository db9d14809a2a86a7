"""The command line. Exit codes: 0 done, 1 failed (the reason on stderr), 2 wrong usage."""

import sys

from hybridrank.common.error_text import os_problem, wrong_values
from hybridrank.common.errors import HybridrankError
from hybridrank.common.extras import module_missing, require

__all__ = ["main"]

# By name: an import would load packages that only some commands need.
_INVALID = "pydantic_core._pydantic_core.ValidationError"
_WRONG_USAGE = "hybridrank.connector.errors.BadAddress"


def main() -> None:
    """Runs a command; an error of hybridrank is shown as a sentence, any other as a traceback."""
    try:
        require("the hybridrank command", "cli")
        from hybridrank.cli.app import app

        app()
    except Exception as error:
        names = {f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__}
        if not isinstance(error, HybridrankError | ImportError | OSError) and _INVALID not in names:
            raise
        _fail(_text(error), 2 if _WRONG_USAGE in names else 1)


def _text(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return module_missing(error) or str(error)
    if isinstance(error, OSError):
        return os_problem(error)
    if type(error).__name__ == "ValidationError":
        return wrong_values(error.errors(), error.title)  # type: ignore[attr-defined]  # pydantic's
    return str(error)


def _fail(reason: str, code: int = 1) -> None:
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
