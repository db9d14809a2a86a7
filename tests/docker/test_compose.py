"""The compose files against the schema that docker compose itself uses, where an unknown key is an error."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from tests.docker.tools import compose_schema

pytestmark = pytest.mark.chart
FILES = sorted((Path(__file__).parents[2] / "docker").glob("compose.*.yaml"))


@pytest.fixture(scope="module")
def schema():
    return jsonschema_rs.validator_for(json.loads(compose_schema().read_text()))


def faults(schema, text):
    return [error.message for error in schema.iter_errors(yaml.safe_load(text))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_compose_knows_every_key(path, schema):
    assert faults(schema, path.read_text()) == []


def test_the_schema_would_have_found_a_fault(schema):
    text = FILES[0].read_text()
    assert "healthcheck:" in text
    assert "helthcheck" in faults(schema, text.replace("healthcheck:", "helthcheck:"))[0]
