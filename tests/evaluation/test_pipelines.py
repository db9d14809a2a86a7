"""Pipeline names and the requests they stand for."""

import pytest

from connector import Rescore, SearchRequest
from evaluation.pipelines import STANDARD_PIPELINES, PipelineSettings, parse_pipeline


def test_the_requests_of_the_standard_pipelines():
    settings = PipelineSettings(weight=0.25, rescore_window_size=30, timeout_s=9)
    requests = [parse_pipeline(name).request("docs", "tea", settings) for name in STANDARD_PIPELINES]

    def expected(*retrievers, model=None):
        rescore = model and Rescore(model=model, weight=0.25, rescore_window_size=30, timeout_s=9)
        return SearchRequest(
            index="docs", query_text="tea", retrievers=retrievers, rescore=rescore, encode_timeout_s=9, size=100
        )

    assert requests == [
        expected("bm25"),
        expected("knn"),
        expected("bm25", "knn"),
        expected("bm25", "knn", model="colbert"),
        expected("bm25", "knn", model="cross-encoder"),
    ]


def test_one_retriever_can_be_rescored_too():
    pipeline = parse_pipeline("bm25+cross-encoder")
    assert (pipeline.retrievers, pipeline.model) == (("bm25",), "cross-encoder")


@pytest.mark.parametrize("name", ["", "bm26", "rrf+", "+colbert", "RRF"])
def test_an_unknown_name_says_which_there_are(name):
    with pytest.raises(ValueError, match=r"it is one of bm25, knn, rrf, with \+MODEL"):
        parse_pipeline(name)
