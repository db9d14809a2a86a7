"""Protocol of a worker, a JSON value a line: its description and scores, then seconds for each "go".

Run by the peers' interpreters, so it needs nothing but Python.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter

Score = Callable[[], Sequence[float]]

_answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever a library prints goes to stderr


def read_task() -> tuple[str, list[str]]:
    """The query and its passages."""
    task = json.loads(sys.stdin.readline())
    return task["query"], task["passages"]


def serve(score: Score, packages: Sequence[str]) -> None:
    """Score once and tell the logits and the packages' versions, then time one more for each line that comes."""
    _answer({"scores": [float(each) for each in score()], "versions": _versions(packages)})
    for _ in sys.stdin:
        started = perf_counter()
        score()
        _answer(perf_counter() - started)


def _answer(value: object) -> None:
    print(json.dumps(value), file=_answers, flush=True)


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
