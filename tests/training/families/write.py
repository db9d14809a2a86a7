"""Writes the matrix of families, for the command line and for docs/models.md; with `--check`, tells if it is current.

Run as `python -m tests.training.families.write` from the root of the repository. tests/training/test_families.py holds
each row against what it measures.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from hybridrank.training.onnx.families import matrix
from hybridrank.training.onnx.families.matrix import FamilyRow
from tests.training.families.registry import ROWS
from tests.training.families.row import Row, Served

__all__ = ["texts"]

DATA = Path(matrix.__file__).with_name(matrix.FILE)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "models.md"
BEGIN, END = "<!-- families: written by make families -->\n", "<!-- end of families -->\n"


def _shown(row: Row) -> FamilyRow:
    if isinstance(row, Served):
        return FamilyRow(row.name, row.examples, row.becomes, row.within, row.spearman)
    return FamilyRow(row.name, row.examples, because=row.because)


def _table(rows: Iterable[FamilyRow]) -> str:
    lines = ["| family | for example | becomes | fp32 | int8 |", "|---|---|---|---|---|"]
    for row in rows:
        bounds = f"{row.within:g} | {row.spearman:g}" if row.becomes else " | "
        becomes = f"`{row.becomes}`" if row.becomes else f"refused: {row.because}"
        lines.append(f"| {row.family} | {row.examples} | {becomes} | {bounds} |")
    return "".join(f"{line}\n" for line in lines)


def texts() -> dict[Path, str]:
    """Returns what each file should hold."""
    rows = [_shown(row) for row in ROWS]
    data = json.dumps([{key: value for key, value in asdict(row).items() if value} for row in rows], indent=1)
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    return {DATA: data + "\n", PAGE: before + BEGIN + _table(rows) + END + rest.partition(END)[2]}


def main() -> int:
    """Writes the files, or checks them."""
    parser = argparse.ArgumentParser(description="Write the matrix of families.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is stale")
    check = parser.parse_args().check
    stale = {path: text for path, text in texts().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        if check:
            print(f"{path} is stale: run `make families` and commit what it writes")
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
