"""Pipelines by name: `rrf+colbert` names the retrievers and the sidecar's models that rescore, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hybridrank.connector import FeatureRescore, Rescore, SearchRequest
from hybridrank.connector.queries.retrievers import RETRIEVERS
from hybridrank.connector.request import RetrieverName
from hybridrank.connector.retrieval import FusedBy
from hybridrank.connector.stages import Stage
from hybridrank.connector.types import DEFAULT_CHUNKS
from hybridrank.evaluation.experiments.fold_models import FoldModels
from hybridrank.ltr_features import FeatureSet

__all__ = ["STANDARD_PIPELINES", "Pipeline", "PipelineSettings", "compares_sparse", "parse_pipeline"]

SPARSE_ENCODER: str = SearchRequest.model_fields["sparse_encoder"].default

STANDARD_PIPELINES = ("bm25", "knn", "rrf", "rrf+colbert", "rrf+cross-encoder", "rrf+nano")

_FIRST_STAGES: Mapping[str, tuple[RetrieverName, ...]] = {
    **{name: (name,) for name in RETRIEVERS},
    "rrf": ("bm25", "knn"),
    "rrf-sparse": ("bm25", "sparse"),
}


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """Settings that all pipelines of an experiment share.

    `size` is 100, so that R@100 is meaningful. `timeout_s` is long, so that an experiment measures rankings and not the
    timeout. Without `fields`, the fields of the index are searched. `weight`, `rescore_window_size` and `max_chunks`
    are those of `Rescore`; a model in `feature_sets` ranks by features over the same window, alone (weight 1). Models
    in `token_vectors` score the vectors stored in the index, and others texts; None leaves it to the index's note. The
    name of `fold_models` selects, for each query, the model that has not seen it. `fusion`, as in `HybridSearch`, says
    who fuses. `sparse_encoder` and `strict` are as in `SearchRequest`: a misconfiguration ends an experiment, so that
    it is not measured as valid.
    """

    size: int = 100
    weight: float | None = None
    rescore_window_size: int = 50
    timeout_s: float = 30.0
    max_chunks: int = DEFAULT_CHUNKS
    fields: Mapping[str, float] = field(default_factory=dict)
    feature_sets: Mapping[str, FeatureSet] = field(default_factory=dict)
    fold_models: FoldModels | None = None
    token_vectors: tuple[str, ...] | None = None
    sparse_encoder: str = SPARSE_ENCODER
    fusion: FusedBy = "client"
    strict: bool = True

    def served(self, model: str) -> tuple[str, ...]:
        """Returns the sidecar's models that a pipeline's model uses."""
        folds = self.fold_models
        return tuple(folds.held_out) if folds and model == folds.name else (model,)

    def scores_stored(self, model: str) -> bool | None:
        """Returns `Rescore.token_vectors` of that model."""
        return None if self.token_vectors is None else model in self.token_vectors

    def stage(self, model: str, query_id: str = "") -> Stage:
        """Returns the stage that rescores by that model. Raises KeyError for a query that is in no fold."""
        if self.fold_models and model == self.fold_models.name:
            model = self.fold_models.model_for(query_id)
        if model in self.feature_sets:
            return FeatureRescore(
                model=model,
                feature_set=self.feature_sets[model],
                rescore_window_size=self.rescore_window_size,
                timeout_s=self.timeout_s,
            )
        return Rescore(
            model=model,
            weight=self.weight,
            rescore_window_size=self.rescore_window_size,
            timeout_s=self.timeout_s,
            max_chunks=self.max_chunks,
            token_vectors=self.scores_stored(model),
        )

    def as_json(self) -> dict[str, Any]:
        """Returns JSON values; for a feature set its name, version and digest, for folds the models."""
        sets = {
            model: {"name": each.name, "version": each.version, "digest": each.digest}
            for model, each in self.feature_sets.items()
        }
        folds = list(self.fold_models.held_out) if self.fold_models else None
        return asdict(replace(self, feature_sets={}, fold_models=None)) | {"feature_sets": sets, "fold_models": folds}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Retrievers, fused by RRF if there are two, and the models that rescore, one after the other."""

    name: str
    retrievers: tuple[RetrieverName, ...]
    models: tuple[str, ...] = ()

    def request(self, index: str, query_text: str, settings: PipelineSettings, query_id: str = "") -> SearchRequest:
        """Returns the search of one query; models of folds need its id."""
        stages = tuple(settings.stage(model, query_id) for model in self.models)
        return SearchRequest(
            index=index,
            query_text=query_text,
            retrievers=self.retrievers,
            fields=settings.fields,
            rescore=stages[0] if len(stages) == 1 else stages or None,
            sparse_encoder=settings.sparse_encoder,
            encode_timeout_s=settings.timeout_s,
            size=settings.size,
            strict=settings.strict,
        )


def compares_sparse(pipelines: Sequence[Pipeline]) -> bool:
    """Returns True if a pipeline compares sparse vectors."""
    return any(RETRIEVERS[name].needs_sparse for each in pipelines for name in each.retrievers)


def parse_pipeline(name: str) -> Pipeline:
    """Returns the pipeline with that name. Raises ValueError with the valid names.

    >>> parse_pipeline("rrf+lambdamart+cross-encoder")
    Pipeline(name='rrf+lambdamart+cross-encoder', retrievers=('bm25', 'knn'), models=('lambdamart', 'cross-encoder'))
    """
    first_stage, *models = name.split("+")
    if first_stage not in _FIRST_STAGES or not all(models):
        raise ValueError(
            f"there is no pipeline {name!r}: it is one of {', '.join(_FIRST_STAGES)}, with +MODEL to rescore"
            " by a model of the sidecar, once or several times (rrf+cross-encoder)"
        )
    return Pipeline(name, _FIRST_STAGES[first_stage], tuple(models))
