"""Generates the gRPC stubs from the wire contract; with `--check`, tells whether the committed ones are current.

Run as `python -m tests.stubs` from the root of the repository.
"""

import argparse
import difflib
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SLICE = ROOT / "sidecar"  # the folder from which imports start
PROTO = "hybridrank/sidecar/protocol/rerank.proto"
STUBS = tuple(
    f"hybridrank/sidecar/protocol/{name}" for name in ("rerank_pb2.py", "rerank_pb2.pyi", "rerank_pb2_grpc.py")
)


def generate(target: Path) -> None:
    """Write the stubs below `target`; their imports start at `hybridrank`, as the path of the proto does."""
    arguments = [
        f"--proto_path={SLICE}",
        f"--python_out={target}",
        f"--pyi_out={target}",
        f"--grpc_python_out={target}",
    ]
    if protoc.main(["protoc", *arguments, PROTO]) != 0:
        raise SystemExit(f"protoc could not compile {PROTO}")


def stale(root: Path = SLICE) -> list[str]:
    """Describe each stub below `root` that is not what the proto generates: a unified diff, cut after 20 lines."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        return [text for stub in STUBS if (text := _difference(stub, root / stub, Path(folder, stub)))]


def _difference(stub: str, committed: Path, generated: Path) -> str:
    found = committed.read_text().splitlines() if committed.exists() else []
    wanted = generated.read_text().splitlines()
    lines = list(difflib.unified_diff(found, wanted, f"{stub} (committed)", f"{stub} (generated)", lineterm=""))
    return "\n".join(lines[:20])


def main() -> int:
    """Generate the stubs, or check them."""
    parser = argparse.ArgumentParser(description="Generate the stubs from rerank.proto.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a stub is stale")
    if not parser.parse_args().check:
        generate(SLICE)
        return 0
    differences = stale()
    if differences:
        print(*differences, sep="\n")
        print("\nThe stubs are stale: run `make proto` and commit what it writes.")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
