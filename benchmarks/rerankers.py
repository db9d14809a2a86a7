"""Rerankers through the sidecar, beside the libraries that compute them: results/rerankers.json and .md.

    python -m benchmarks.rerankers [--only lambdamart|maxsim] [--peers ~/peers]

Each part runs its contenders in turn in one run. On a machine that does something else too, read the ratios.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import reranker_lambdamart, reranker_maxsim
from benchmarks.results_file import Section, update

PARTS: Mapping[str, Callable[[Path | None], Section]] = {
    "lambdamart": lambda _peers: reranker_lambdamart.measure(),
    "maxsim": reranker_maxsim.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="one part; the others stay as they were measured before")
    parser.add_argument("--peers", type=Path, help="what benchmarks/peers/build.sh made; without it, ours alone")
    arguments = parser.parse_args()
    for name in [arguments.only] if arguments.only else PARTS:
        print(update(name, PARTS[name](arguments.peers)))


if __name__ == "__main__":
    main()
