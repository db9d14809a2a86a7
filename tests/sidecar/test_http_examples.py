"""Every curl command of docs/sidecar.md gets an answer."""

import re
import shlex
from pathlib import Path

import pytest

from tests.sidecar.http_serving import serving_both

DOCS = Path(__file__).parents[2] / "docs" / "sidecar.md"
COMMANDS = re.findall(r"^curl localhost:8080(.+)$", DOCS.read_text(), flags=re.MULTILINE)


def test_there_is_one_for_every_api():
    assert {shlex.split(command)[0] for command in COMMANDS} == {"/v1/rerank", "/rerank", "/v1/embeddings"}


@pytest.mark.parametrize("command", COMMANDS)
async def test_the_example_works(command, shipped):
    path, *rest = shlex.split(command)
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    headers = dict([options["-H"].split(": ")]) if "-H" in options else {}
    async with serving_both(shipped) as wires:
        # curl sends bodies as forms unless told otherwise; the sidecar reads JSON whatever a body is called.
        form = {"content-type": "application/x-www-form-urlencoded"}
        response = await wires.http.post(path, content=options["-d"], headers=headers | form)
    assert response.status_code == 200
