"""`hybridrank setup elasticsearch` on a real server, which has neither licences nor the inference plugin."""

from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.connector.errors import EngineError


def test_a_server_without_a_licence_is_told_so(elasticsearch_url):
    line = ["setup", "elasticsearch", "--url", elasticsearch_url, "--sidecar", "http://127.0.0.1:8080", "--dry-run"]
    done = CliRunner().invoke(app, line)
    assert isinstance(done.exception, EngineError), done.output
    assert str(done.exception) == (
        "an inference endpoint wants an enterprise or trial licence, and this server tells of none; the library needs"
        " neither"
    )


def test_an_opensearch_is_none(opensearch_url):
    done = CliRunner().invoke(
        app, ["setup", "elasticsearch", "--url", opensearch_url, "--remove"], env={"COLUMNS": "200"}
    )
    assert done.exit_code == 2
    assert "is not an Elasticsearch" in done.output
