"""The parts that docs/extending.md adds are added to a copy of the package, and its programs print what it says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text()
SECTIONS = re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
FILE = re.compile(r"^`([\w/]+\.py)`:\n\n```py\n(.*?)^```", re.DOTALL | re.MULTILINE)
CHANGE = re.compile(r"`([\w/]+\.py)`:\n\n```diff\n(.*?)^```", re.DOTALL | re.MULTILINE)
PROGRAM = re.compile(r"```py\n((?:(?!^```).)*)^```\n\n```text\n(.*?)^```", re.DOTALL | re.MULTILINE)


def changed(text: str, diff: str) -> str:
    """The text with each hunk of the diff applied; hunks are separated by an ellipsis."""
    for hunk in diff.split("…\n"):
        lines = hunk.splitlines()
        old = "\n".join(line[1:] for line in lines if line[0] in " -")
        assert old in text, f"the file has no lines\n{old}"
        text = text.replace(old, "\n".join(line[1:] for line in lines if line[0] in " +"), 1)
    return text


@pytest.mark.parametrize(("title", "section"), SECTIONS, ids=[title for title, _ in SECTIONS])
def test_a_part_is_added_in_one_place(title, section, tmp_path):
    files, changes = FILE.findall(section), CHANGE.findall(section)
    for part in {Path(name).parts[0] for name, _ in [*files, *changes]}:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files:
        assert not (ROOT / name).exists()
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for name, diff in changes:
        path = tmp_path / name
        path.write_text(changed(path.read_text(), diff))
    parts = [str(folder) for folder in tmp_path.iterdir()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(parts)}
    programs = PROGRAM.findall(section)
    assert files
    assert programs
    for program, printed in programs:
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
        )
        assert ran.stdout == printed, ran.stderr
