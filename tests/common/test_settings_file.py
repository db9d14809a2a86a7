"""Settings in YAML or JSON: the same marks, encodings and numbers as in every other file."""

import pytest

from hybridrank.common.errors import BadFile
from hybridrank.common.settings_file import read_settings


@pytest.mark.parametrize(("name", "text"), [("a.json", '{"a": [1, 2.5]}'), ("a.yaml", "a: [1, 2.5]\n")])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_both_formats_are_read_with_or_without_a_mark(tmp_path, name, text, mark):
    (tmp_path / name).write_bytes((mark + text.replace("\n", "\r\n")).encode())
    assert read_settings(tmp_path / name) == {"a": [1, 2.5]}


def test_an_empty_file_holds_none(tmp_path):
    (tmp_path / "a.yaml").write_text("# nothing\n")
    assert read_settings(tmp_path / "a.yaml") is None


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", b'{"k1": NaN}', "k1 is not a finite number"),
        ("a.yaml", b"bm25: {k1: .inf}", r"bm25\.k1 is not a finite number"),
        ("a.yaml", b"a: [", "not YAML"),
        ("a.yaml", b"[" * 50_000, "not YAML"),
        ("a.json", b"{", "not JSON"),
        ("a.yaml", "a: 1".encode("utf-16"), "UTF-16"),
        ("a.yaml", b"a: caf\xe9", "not UTF-8"),
    ],
)
def test_the_file_and_the_problem_are_named(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFile, match=expected) as raised:
        read_settings(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadFile, match=r"a\.yaml: there is no such file"):
        read_settings(tmp_path / "a.yaml")
