"""Configuration faults and operational ones: every word is one of the two."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybridrank import connector
from hybridrank.connector import errors
from hybridrank.connector.faults import Reason, is_configuration

ADMINISTRATION = {  # no search meets them
    "alias",
    "bad_synonyms",
    "not_writable",
    "wrong_dimensions",
    "wrong_language",
    "wrong_subfields",
    "wrong_synonyms",
    "wrong_vectors",
}
SOURCES = sorted(Path(connector.__path__[0]).rglob("*.py"))


def _constants(node: ast.AST) -> Iterator[str]:
    return (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def reason_words(source: str) -> set[str]:
    """The words given as `reason`: to an error, or as a class's own."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.keyword(arg="reason", value=value) if not isinstance(value, ast.Call):
                branches = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                found |= {word for branch in branches for word in _constants(branch)}
            case ast.Assign(targets=[ast.Name(id="reason")], value=ast.Constant(value=str(word))):
                found.add(word)
    return found


def test_every_reason_of_the_connector_is_classified():
    words = set().union(*(reason_words(path.read_text()) for path in SOURCES))
    assert {"bad_field", "timeout", "invalid", "no_token_vectors"} <= words
    assert words - {each.value for each in Reason} == ADMINISTRATION


def test_every_degraded_is_classified_in_one_place():
    makers = [path.name for path in SOURCES if "Degraded(" in path.read_text()]
    assert makers == ["errors.py", "left_out.py"]


@pytest.mark.parametrize(
    ("reason", "status", "configuration"),
    [
        ("parsing_exception", 400, True),
        ("security_exception", 403, True),
        ("index_closed_exception", 400, False),
        ("too_many_clauses", 400, False),
        ("es_rejected_execution_exception", 429, False),
        ("no_shard_available_action_exception", 503, False),
        ("a_word_of_tomorrow", 0, False),
    ],
)
def test_the_status_decides_on_words_of_the_engine(reason, status, configuration):
    assert is_configuration(reason, status) is configuration


def test_the_class_of_a_sidecar_error_tells_configuration_faults():
    kinds = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.SidecarError)}
    assert {each.__name__ for each in kinds if is_configuration(each.reason)} == {
        "InvalidRequest",
        "ModelMissing",
        "NotASidecar",
        "SidecarRefused",
    }
