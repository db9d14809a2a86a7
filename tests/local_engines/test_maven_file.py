"""One file of a Maven repository on loopback, by coordinates and SHA-256; an import takes its model from there."""

import gc
import hashlib

import pytest
from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.local_engines.errors import ChecksumMismatch, DownloadFailed
from hybridrank.local_engines.maven_file import fetch_file
from hybridrank.training.onnx.importing.model import import_model
from tests.local_engines.test_artifacts import Repository, files_in, serving
from tests.training.onnx_sources import archive, files

COORDINATES = "org.example:tiny-model:1.0"


@pytest.fixture
def jar(tmp_path):
    return archive(tmp_path / "source.jar", files()).read_bytes()


@pytest.fixture
def repository(jar):
    with serving(Repository({"/maven/org/example/tiny-model/1.0/tiny-model-1.0.jar": jar})) as running:
        yield running


def test_a_jar_is_fetched_once_and_imported(repository, jar, tmp_path):
    digest = hashlib.sha256(jar).hexdigest()
    options = {"cache": tmp_path / "cache", "remote_repos": repository.remote()}
    path = fetch_file(COORDINATES, digest.upper(), **options)
    assert path.read_bytes() == jar
    assert fetch_file(f"{COORDINATES}:jar", digest, **options) == path
    assert len(repository.asked) == 1
    imported = import_model(path, tmp_path / "out", kind="encoder", sha256=digest)
    assert imported.toml.name == "tiny-model-1.0"


def test_a_wrong_sha256_is_named_and_leaves_no_file(repository, jar, tmp_path):
    with pytest.raises(ChecksumMismatch, match=f"SHA-256 {hashlib.sha256(jar).hexdigest()}, expected was {'0' * 64}"):
        fetch_file(COORDINATES, "0" * 64, cache=tmp_path / "cache", remote_repos=repository.remote())
    assert files_in(tmp_path / "cache") == set()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_absent_coordinates_are_named(repository, tmp_path):
    with pytest.raises(DownloadFailed, match=r"org\.example:other:1\.0:jar"):
        fetch_file("org.example:other:1.0", "0" * 64, cache=tmp_path / "cache", remote_repos=repository.remote())
    gc.collect()  # jgo leaves the answer to a refused request open; let it go while the warning is allowed


def test_coordinates_without_a_sha256_are_refused_at_once(tmp_path):
    arguments = ["model", "import", COORDINATES, "--kind", "encoder", "--out", str(tmp_path / "out")]
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 2
    assert "Maven coordinates need the SHA-256 of the file" in run.output
    run = CliRunner().invoke(app, [*arguments, "--sha256", "123"])
    assert run.exit_code == 2
    assert "a SHA-256 has 64 hex digits" in run.output
    assert not (tmp_path / "out").exists()
