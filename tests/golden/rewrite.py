"""`python -m tests.golden.rewrite` writes every golden file anew; what changed is for a person to review.

Needs the train extra (`make golden` installs it).
"""

from collections.abc import Callable

from tests.golden import sidecar, splade

PARTS: tuple[Callable[[], None], ...] = (sidecar.rewrite, splade.rewrite)

if __name__ == "__main__":
    for part in PARTS:
        part()
