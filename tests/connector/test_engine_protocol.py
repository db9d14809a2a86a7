"""The protocol of an engine: APIs beyond it, and the error of a method that is not there."""

import pytest

from hybridrank.connector.engines.base import Engine, rest_api
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.fusion import Rrf


class Bare(Engine):
    def __repr__(self) -> str:
        return "Bare()"


async def test_a_method_that_an_engine_lacks_is_unsupported():
    calls = [
        Bare().retrieve("docs", {}),
        Bare().sources("docs", [], []),
        Bare().highlight("docs", None, [], []),
        Bare().create_index("docs", None),
        Bare().info(),
    ]
    for call in calls:
        with pytest.raises(EngineError, match=r"Bare\(\) has no ") as caught:
            await call
        assert caught.value.reason == "unsupported"
    await Bare().close()


async def test_an_engine_leaves_fusion_to_the_client_by_default():
    with pytest.raises(EngineError, match="leaves fusion to the client") as caught:
        await Bare().retrieve_fused("docs", {}, Rrf())
    assert caught.value.reason == "not_native"


@pytest.mark.parametrize("engine_class", [OpenSearchEngine, ElasticsearchEngine])
def test_a_server_takes_requests_to_its_own_api(engine_class):
    engine = engine_class("http://localhost:9200")
    assert rest_api(engine) is engine


@pytest.mark.parametrize("engine", [Bare(), EmbeddedEngine("indices")], ids=["bare", "embedded"])
def test_an_engine_without_an_api_says_so(engine):
    with pytest.raises(EngineError, match="has no REST API; name a cluster"):
        rest_api(engine)


def test_setting_up_a_cluster_asks_for_its_api():
    assert OpenSearchEngine.apis == {"rest", "ml_commons"}
    assert ElasticsearchEngine.apis == {"rest", "inference"}
