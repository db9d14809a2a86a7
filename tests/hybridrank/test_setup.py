"""`hybridrank setup` where it ends before it asks a cluster; the rest is in tests/live."""

import os
import subprocess
import sys

import pytest

KEY = "s3cret-s3cret-s3cret"


def setup(*options, **variables):
    command = [sys.executable, "-m", "hybridrank", "setup", "opensearch", "--url", "http://127.0.0.1:1", *options]
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
        (("--remove",), {}, 1, "no engine at http://127.0.0.1:1"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_a_sentence(options, variables, code, said):
    ended, output = setup(*options, **variables)
    assert said in output
    assert ended == code
    assert KEY not in output
