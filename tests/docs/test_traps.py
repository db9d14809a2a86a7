"""The page of traps names tests that exist, and one for every trap."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    cells
    for line in (ROOT / "docs" / "traps.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("| complaint |", "|---"))
    for cells in [line.strip("|").split(" | ")]
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip())
def test_each_trap_has_tests_that_exist(row):
    named = re.findall(r"`([\w/.]+)::(\w+)`", row[-1])
    assert len(row) == 4
    assert named
    for path, test in named:
        nodes = ast.walk(ast.parse((ROOT / path).read_text()))
        assert any(getattr(node, "name", "") == test for node in nodes), f"there is no {path}::{test}"


def test_the_page_is_long_enough_to_be_the_one_meant():
    numbers = re.findall(r"\b(?:NS|ML|ES|OS|OSD) \d+", " ".join(row[1] for row in ROWS))
    assert len(ROWS) > 30
    assert len(set(numbers)) == len(numbers) > 50
