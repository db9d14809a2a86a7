"""Token vectors on real servers: `evaluate --token-vectors` stores them, and each search is scored by them."""

import asyncio
import json
import os
import subprocess
import sys
import uuid

import pytest

from hybridrank.connector import connect_engine
from tests.evaluation.menu import write_menu


@pytest.fixture
def index(engine_url):
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name

    async def delete() -> None:
        engine = await connect_engine(engine_url)
        await engine.delete_index(name)
        await engine.close()

    asyncio.run(delete())


def test_a_server_keeps_them_for_the_pipelines_that_score_them(engine_url, index, sidecar_address, tmp_path):
    command = [sys.executable, "-m", "hybridrank", "evaluate", "--collection", write_menu(tmp_path / "menu")]
    command += ["--engine", engine_url, "--sidecar", sidecar_address, "--index", index, "--token-vectors", "int8"]
    command += ["--pipelines", "rrf,rrf+colbert,rrf+colbert+cross-encoder", "--baseline", "rrf", "--json", "found.json"]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["settings"]["token_vectors"] == ["colbert"]
    assert [each["degraded"] for each in found["pipelines"].values()] == [0, 0, 0]
    assert found["pipelines"]["rrf+colbert"]["ndcg@10"] > 0.5
