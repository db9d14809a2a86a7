"""Rerankers through the sidecar, beside the libraries that compute them: results/rerankers.json and .md.

    python -m benchmarks.rerankers [--only lambdamart]

Each part runs its contenders in turn in one run. On a machine that does something else too, read the ratios.
"""

import argparse
from collections.abc import Callable, Mapping

from benchmarks import reranker_lambdamart
from benchmarks.results_file import Section, update

PARTS: Mapping[str, Callable[[], Section]] = {"lambdamart": reranker_lambdamart.measure}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="one part; the others stay as they were measured before")
    only = parser.parse_args().only
    for name in [only] if only else PARTS:
        print(update(name, PARTS[name]()))


if __name__ == "__main__":
    main()
