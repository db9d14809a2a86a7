"""The lock file pins every artifact of both servers, and says nothing of where they come from."""

import re

import pytest

from hybridrank.local_engines.artifacts import LOCK_FILE, load_lock
from hybridrank.local_engines.elasticsearch import Elasticsearch
from hybridrank.local_engines.engines import ENGINES
from hybridrank.local_engines.opensearch import OpenSearch


@pytest.fixture(params=ENGINES)
def artifacts(request):
    return load_lock()[request.param]


def test_every_artifact_is_pinned(artifacts):
    for artifact in artifacts:
        assert re.fullmatch(r"[0-9a-f]{64}", artifact.sha256), artifact
        assert artifact.size > 0, artifact
        assert re.fullmatch(r"[\w.-]+:[\w.-]+:[\w.-]+:(jar|zip)", artifact.coordinates), artifact


def test_the_file_holds_no_address():
    assert "//" not in LOCK_FILE.read_text("utf-8")


def test_no_folder_holds_an_artifact_in_two_versions(artifacts):
    names = [(artifact.folder, artifact.coordinates.rsplit(":", 2)[0]) for artifact in artifacts]
    assert len(names) == len(set(names))


def test_modules_repeat_nothing_of_the_server_beneath_them(artifacts):
    """A class that is found twice stops the server."""
    beneath = {each.coordinates.rsplit(":", 2)[0] for each in artifacts if each.folder in {"lib", "server"}}
    repeated = [
        each.coordinates
        for each in artifacts
        if each.folder.startswith("modules/") and each.coordinates.rsplit(":", 2)[0] in beneath
    ]
    assert repeated == []


def test_ml_commons_alone_is_what_makes_the_download_large():
    needed = sum(artifact.size for artifact in load_lock()["opensearch"] if artifact.part == "node")
    asked_for = sum(artifact.size for artifact in load_lock()["opensearch"] if artifact.part == "ml-commons")
    assert needed < 120_000_000
    assert asked_for > 380_000_000


@pytest.mark.parametrize("distribution", [OpenSearch(), OpenSearch(ml_commons=True), Elasticsearch()])
def test_every_module_has_artifacts_and_a_descriptor(distribution):
    locked = {
        each.folder
        for each in load_lock()[distribution.name]
        if each.folder.startswith("modules/") and each.part in distribution.parts
    }
    described = {
        path.removesuffix("/plugin-descriptor.properties")
        for path in distribution.written_files
        if path.endswith("/plugin-descriptor.properties")
    }
    assert locked == described


def test_the_server_itself_is_in_the_version_we_say():
    for distribution in (OpenSearch(), Elasticsearch()):
        coordinates = f"org.{distribution.name}:{distribution.name}:{distribution.version}:jar"
        assert coordinates in {each.coordinates for each in load_lock()[distribution.name]}
