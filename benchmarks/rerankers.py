"""Rerankers through the sidecar, beside the libraries that compute them: results/rerankers.json and .md.

    python -m benchmarks.rerankers [--only lambdamart|maxsim|codecs|nano] [--peers ~/peers] [--collection ../scifact]

Each part runs its contenders in turn in one run. On a machine that does something else too, read the ratios.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import reranker_codecs, reranker_lambdamart, reranker_maxsim, reranker_nano
from benchmarks.results_file import Section, update

PARTS: Mapping[str, Callable[[argparse.Namespace], Section]] = {
    "lambdamart": lambda _: reranker_lambdamart.measure(),
    "maxsim": lambda arguments: reranker_maxsim.measure(arguments.peers),
    "codecs": lambda arguments: reranker_codecs.measure(arguments.collection),
    "nano": lambda arguments: reranker_nano.measure(arguments.collection),
}
OF_A_COLLECTION = ("codecs", "nano")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="one part; the others stay as they were measured before")
    parser.add_argument("--peers", type=Path, help="what benchmarks/peers/build.sh made; without it, ours alone")
    parser.add_argument("--collection", type=Path, help="a folder in BEIR's layout; codecs and nano need one")
    arguments = parser.parse_args()
    if arguments.only in OF_A_COLLECTION and not arguments.collection:
        parser.error(f"--only {arguments.only} needs a --collection")
    for name in [arguments.only] if arguments.only else PARTS:
        if name in OF_A_COLLECTION and not arguments.collection:
            print(f"{name}: left out, for want of a --collection", file=sys.stderr)
        else:
            print(update(name, PARTS[name](arguments)))


if __name__ == "__main__":
    main()
