"""`hybridrank setup` where it ends before it asks a cluster; the rest is in tests/live."""

import asyncio
import os
import subprocess
import sys

import pytest

from hybridrank.cluster_setup.sidecar_http import encoder_dimensions, encoder_note
from hybridrank.index_templates import noted_encoders
from hybridrank.index_templates.ml_commons import HttpSidecar
from hybridrank.index_templates.setup_parts import IndexWish, parts
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models import loading
from tests.connector.fake_engine import ELASTIC, Reply, fake_engine
from tests.sidecar.http_serving import serving_both

KEY = "s3cret-s3cret-s3cret"


def setup(*options, engine="opensearch", **variables):
    command = [sys.executable, "-m", "hybridrank", "setup", engine, "--url", "http://127.0.0.1:1", *options]
    environment = os.environ | {"COLUMNS": "200"} | variables
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("options", "variables", "code", "said"),
    [
        ((), {}, 2, "http(s)://HOST:PORT"),
        (("--sidecar", "sidecar:8080"), {}, 2, "http(s)://HOST:PORT"),
        (("--sidecar", "http://sidecar:8080/v1/rerank"), {}, 2, "http(s)://HOST:PORT"),
        (("--sidecar", "http://sidecar:8080", "--private"), {"HYBRIDRANK_CLIENT_API_KEY": KEY}, 2, "unencrypted"),
        (("--sidecar", "http://no-such-host.invalid:8080"), {}, 2, "--private or --public"),
        (("--sidecar", "http://127.0.0.1:1", "--index", "docs"), {}, 2, "--dimensions"),
        (("--sidecar", "http://127.0.0.1:1"), {}, 1, "no engine at http://127.0.0.1:1"),
        (("--sidecar", "http://127.0.0.1:1"), {"HYBRIDRANK_CLIENT_API_KEY": KEY}, 1, "no engine"),
        (("--sidecar", "http://127.0.0.1:1", "--index", "docs-*"), {}, 2, "'docs-*' has '*'"),
        (("--remove",), {}, 1, "no engine at http://127.0.0.1:1"),
    ],
    ids=str,
)
def test_errors_are_one_sentence(options, variables, code, said):
    ended, output = setup(*options, **variables)
    assert said in output
    assert ended == code
    assert KEY not in output


@pytest.mark.parametrize("answer", [{}, [], {"persistent": None, "hits": {"hits": [None]}}], ids=str)
@pytest.mark.parametrize("engine", ["opensearch", "elasticsearch"])
def test_answers_of_no_engine_are_an_error_in_a_sentence(engine, answer):
    product = ELASTIC if engine == "elasticsearch" else {}
    nodes = {"nodes": {"n": {"version": "9.5.3"}}}
    licence = {"license": {"type": "trial", "status": "active"}}

    def reply(asked):
        known = {"/_license": licence, "/_analyze": {}}
        return Reply(
            body=nodes if asked.path.startswith("/_nodes/_local") else known.get(asked.path, answer), headers=product
        )

    with fake_engine(reply) as server:
        ended, output = setup("--url", server.url, "--remove", "--yes", engine=engine)
    assert "does not answer as an engine does" in output
    assert ended == 1


async def test_the_template_names_the_encoder_of_the_documents():
    models = loading.load([SHIPPED_MODELS / "encoder-minilm-l6"])
    async with serving_both(models) as wires:
        target = HttpSidecar(wires.url, "cross-encoder", "encoder", 5, "")
        dimensions = await asyncio.to_thread(encoder_dimensions, target, "")
        note = await asyncio.to_thread(encoder_note, target, "")
    wish = IndexWish("docs", dimensions, note)
    (template,) = (
        each.body
        for each in parts(target, text_fields=["text"], score_field="score", index=wish)
        if each.kind == "index template"
    )
    found = noted_encoders(template["template"]["mappings"])["vector"]
    assert (found.name, found.digest) == ("encoder-minilm-l6", models.get("encoder").info.digest)
    assert encoder_note(HttpSidecar("http://127.0.0.1:1", "", "encoder", 5, ""), "") is None
