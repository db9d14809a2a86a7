"""Rerankers through the sidecar, beside the libraries that compute them: results/rerankers.json and .md.

    python -m benchmarks.rerankers [--only lambdamart|maxsim|codecs|nano|large] [--peers ~/peers]
        [--collection ../scifact] [--checkpoint ../bge-reranker-v2-m3 --exported ../models/bge-reranker-v2-m3]

Each part runs its contenders in turn in one run. On a machine that does something else too, read the ratios.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import reranker_codecs, reranker_lambdamart, reranker_large, reranker_maxsim, reranker_nano
from benchmarks.results_file import Section, update

PARTS: Mapping[str, Callable[[argparse.Namespace], Section]] = {
    "lambdamart": lambda _: reranker_lambdamart.measure(),
    "maxsim": lambda arguments: reranker_maxsim.measure(arguments.peers),
    "codecs": lambda arguments: reranker_codecs.measure(arguments.collection),
    "nano": lambda arguments: reranker_nano.measure(arguments.collection),
    "large": lambda arguments: reranker_large.measure(arguments.checkpoint, arguments.exported, arguments.peers),
}
NEEDS = {"codecs": ("collection",), "nano": ("collection",), "large": ("checkpoint", "exported")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="one part; the others stay as they were measured before")
    parser.add_argument("--peers", type=Path, help="what benchmarks/peers/build.sh made; without it, ours alone")
    parser.add_argument("--collection", type=Path, help="a folder in BEIR's layout; codecs and nano need one")
    parser.add_argument("--checkpoint", type=Path, help="a large cross-encoder of the hub; large needs one")
    parser.add_argument("--exported", type=Path, help="what `hybridrank model export` made of it")
    arguments = parser.parse_args()
    for name in [arguments.only] if arguments.only else PARTS:
        lacking = [f"--{need}" for need in NEEDS.get(name, ()) if not getattr(arguments, need)]
        if lacking and arguments.only:
            parser.error(f"--only {name} needs {' and '.join(lacking)}")
        elif lacking:
            print(f"{name}: left out, for want of {' and '.join(lacking)}", file=sys.stderr)
        else:
            print(update(name, PARTS[name](arguments)))


if __name__ == "__main__":
    main()
