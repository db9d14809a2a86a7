"""The package as an application sees it."""

import subprocess
import sys
import types

import pytest

from hybridrank import connector
from hybridrank.connector import BadAddress, EngineUnreachable, connect_engine
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine

HEAVY = ("numpy", "tantivy", "onnxruntime", "tokenizers", "opensearchpy", "elasticsearch", "typer", "rich", "structlog")


def test_all_is_sorted_and_true():
    public = {
        name
        for name, value in vars(connector).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert list(connector.__all__) == sorted(connector.__all__)
    assert set(connector.__all__) == public


def test_the_connector_imports_with_its_own_dependencies_alone():
    code = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ImportError(f"{{name}} is an extra")
sys.meta_path.insert(0, Blocked())
import asyncio
from hybridrank import connector
try:
    asyncio.run(connector.connect_engine("embedded:/tmp/x"))
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'hybridrank[embedded]'" in run.stdout


@pytest.mark.parametrize("engine_class", [OpenSearchEngine, ElasticsearchEngine])
async def test_a_password_shows_in_no_repr(engine_class):
    engine = engine_class("https://search.example:9200", auth=("reader", "s3cret"))
    try:
        assert "s3cret" not in repr(engine)
        assert "s3cret" not in repr(vars(engine))
    finally:
        await engine.close()


async def test_a_password_in_an_address_shows_in_no_error():
    for address in ("http://reader:s3cret@127.0.0.1:1", "ftp://reader:s3cret@host"):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            await connect_engine(address)
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["localhost:9200", "http://", "http://a:9200,", "http://a:9200,http://b:9200", "http://a:port"]
)
async def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(BadAddress, match="neither embedded:PATH nor http"):
        await connect_engine(address)


async def test_when_no_node_answers_the_last_one_is_named():
    with pytest.raises(EngineUnreachable, match=r"no engine at http://127\.0\.0\.1:2: "):
        await connect_engine("http://127.0.0.1:1,127.0.0.1:2")
