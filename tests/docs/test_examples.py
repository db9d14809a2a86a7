"""The Python examples of the pages run as they are printed, against an embedded engine and a real sidecar."""

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybridrank.cli.app import app
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.sidecar_client.client import SidecarClient
from tests.contracts.passages import PASSAGES
from tests.local_engines.available import server_or_skip

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL), start=1)
]
COMMANDS = sorted(
    {
        line.partition("#")[0].strip()
        for page in PAGES
        for line in re.findall(r"^(?:\$ )?(hybridrank .*--.*)$", page.read_text(), flags=re.MULTILINE)
    }
)


@pytest.fixture
async def menu(tmp_path, sidecar_address):
    """The address of an embedded engine that holds an index `docs`."""
    engine = EmbeddedEngine(tmp_path / "indices")
    async with SidecarClient(sidecar_address) as client:
        await index_documents(engine, client, "docs", PASSAGES, cache=VectorCache(tmp_path / "vectors.sqlite3"))
    return f"embedded:{tmp_path / 'indices'}"


@pytest.mark.parametrize("code", PYTHON)
def test_a_python_example_runs(code, menu, sidecar_address):
    if "local_engines" in code:
        with server_or_skip("elasticsearch"):
            pass  # it can run here
    here = code.replace("http://localhost:9200", menu).replace("localhost:50051", sidecar_address)
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(here, "example", "exec"), {"__name__": "example"})
    assert printed.getvalue().strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_in_the_docs_has_options_that_exist(command):
    """Every option that a page shows is in the command's own help."""
    words = shlex.split(command)[1:]
    path = [word for word in words[:2] if re.fullmatch(r"[a-z][a-z0-9-]*", word)]
    for length in range(len(path), 0, -1):
        run = CliRunner().invoke(app, [*path[:length], "--help"], terminal_width=200)
        if run.exit_code == 0:
            break
    assert run.exit_code == 0, f"no such command: {command}"
    missing = [word for word in words if word.startswith("--") and word.partition("=")[0] not in run.stdout]
    assert missing == []


def anchors(page):
    """Returns the anchors of a page's headings, as GitHub forms them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    slugs = [
        re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    ]
    return {slug if slug not in slugs[:at] else f"{slug}-{slugs[:at].count(slug)}" for at, slug in enumerate(slugs)}


def test_links_between_pages_lead_somewhere():
    broken = []
    for page in [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]:
        for path, section in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
            target = page.parent / path if path else page
            if not target.exists() or (section and section not in anchors(target)):
                broken.append(f"{page.name}: {path}#{section}")
    assert broken == []
