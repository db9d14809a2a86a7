"""Pipelines by name: `rrf+colbert` says which retrievers run and which model of the sidecar rescores."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connector import Rescore, SearchRequest
from connector.request import RetrieverName

__all__ = ["STANDARD_PIPELINES", "Pipeline", "PipelineSettings", "parse_pipeline"]

STANDARD_PIPELINES = ("bm25", "knn", "rrf", "rrf+colbert", "rrf+cross-encoder")

_RETRIEVERS: Mapping[str, tuple[RetrieverName, ...]] = {"bm25": ("bm25",), "knn": ("knn",), "rrf": ("bm25", "knn")}


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """What all pipelines of an experiment share.

    `size` is 100, so that R@100 means something. `timeout_s` is generous, so that an experiment measures rankings and
    not the budget. `weight` and `rescore_window_size` are those of `Rescore`.
    """

    size: int = 100
    weight: float = 0.5
    rescore_window_size: int = 50
    timeout_s: float = 30.0
    fields: Mapping[str, float] = field(default_factory=lambda: {"title": 1.0, "text": 1.0})


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Retrievers, fused by RRF when there are two, and the model that rescores, if any."""

    name: str
    retrievers: tuple[RetrieverName, ...]
    model: str | None = None

    def request(self, index: str, query_text: str, settings: PipelineSettings) -> SearchRequest:
        """The search of one query."""
        rescore = self.model and Rescore(
            model=self.model,
            weight=settings.weight,
            rescore_window_size=settings.rescore_window_size,
            timeout_s=settings.timeout_s,
        )
        return SearchRequest(
            index=index,
            query_text=query_text,
            retrievers=self.retrievers,
            fields=settings.fields,
            rescore=rescore or None,
            encode_timeout_s=settings.timeout_s,
            size=settings.size,
        )


def parse_pipeline(name: str) -> Pipeline:
    """The pipeline of that name. Raises ValueError saying which names there are.

    >>> parse_pipeline("rrf+colbert")
    Pipeline(name='rrf+colbert', retrievers=('bm25', 'knn'), model='colbert')
    """
    first_stage, plus, model = name.partition("+")
    if first_stage not in _RETRIEVERS or bool(plus) != bool(model):
        raise ValueError(
            f"there is no pipeline {name!r}: it is one of {', '.join(_RETRIEVERS)}, with +MODEL to rescore"
            " by a model of the sidecar (rrf+cross-encoder)"
        )
    return Pipeline(name, _RETRIEVERS[first_stage], model or None)
