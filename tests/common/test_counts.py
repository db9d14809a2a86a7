"""One thing is never told in the plural."""

import re
from pathlib import Path

import pytest

from hybridrank.common.counts import counted

ROOT = Path(__file__).parents[2]
COUNTED = re.compile(r"\{(?:len|sum)\([^{}]*\)\} (?:[a-z]+ )?(?:documents|queries|lines|judgments|rows|lists|events)\b")


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "query", "0 queries"),
        (1, "query", "1 query"),
        (1, "bad line", "1 bad line"),
        (12, "document", "12 documents"),
        (2, "key", "2 keys"),
    ],
)
def test_a_count_has_its_noun_in_the_right_number(count, noun, said):
    assert counted(count, noun) == said


@pytest.mark.parametrize("folder", ["cli", "common", "connector", "evaluation", "local_engines", "training"])
def test_messages_count_with_counted(folder):
    texts = {path: path.read_text() for path in (ROOT / folder).rglob("*.py")}
    assert texts
    found = {str(path): COUNTED.findall(text) for path, text in texts.items()}
    assert {path: each for path, each in found.items() if each} == {}
