"""Runs of experiments kept on disk, so that an interrupted run of all experiments can continue."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hybridrank.common import atomic
from hybridrank.connector import ModelInfo
from hybridrank.connector.queries.retrievers import RETRIEVERS
from hybridrank.connector.types import EngineInfo
from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings, compares_sparse

__all__ = ["KeptRuns", "run_key"]

ENCODER = "encoder"  # the model name that searches use for query vectors


@dataclass(frozen=True)
class KeptRuns:
    """A folder with one file per experiment and pipeline: the last complete run and its key."""

    folder: Path

    def load(self, experiment: str, pipeline: str, key: str) -> PipelineRun | None:
        """Returns the kept run if it has this key."""
        try:
            content = json.loads(self._file(experiment, pipeline).read_text(encoding="utf-8"))
            if content["key"] != key:
                return None
            run = content["run"]
            rankings = {query_id: tuple(doc_ids) for query_id, doc_ids in run["rankings"].items()}
            return PipelineRun(rankings, run["latencies_ms"], run["degraded"], run["scored"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # never written, or not by us: it can be run again

    def keep(self, experiment: str, pipeline: str, key: str, run: PipelineRun) -> None:
        """Saves a run over the previous one, unless answers were degraded: a later run may be better."""
        if run.degraded:
            return
        path = self._file(experiment, pipeline)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(path, json.dumps({"key": key, "run": asdict(run)}))

    def _file(self, experiment: str, pipeline: str) -> Path:
        return self.folder / experiment / f"{pipeline}.json"


def run_key(
    pipeline: Pipeline,
    collection_digest: str,
    queries: Mapping[str, str],
    settings: PipelineSettings,
    token_vectors: str | None,
    models: Mapping[str, ModelInfo],
    engine: EngineInfo,
) -> str:
    """Returns the SHA-256 over everything that decides a ranking: documents, queries, settings, programs and models.

    `models` has every name of a model, including aliases. The version of hybridrank represents the code. Parts that a
    pipeline does not use are excluded: another cross-encoder does not affect the run of `rrf`.
    """
    compares = any(RETRIEVERS[name].needs_vector for name in pipeline.retrievers)
    used = [ENCODER] if compares else []
    used += [settings.sparse_encoder] if compares_sparse([pipeline]) else []
    used += pipeline.models
    late = stored if set(stored := settings.token_vectors or ()) & set(pipeline.models) else ()
    codecs = [models[name].token_codec for name in late]
    weights = [] if settings.weight else [models[name].blend_weight for name in pipeline.models]
    of_models = ("weight", "rescore_window_size", "timeout_s", "max_chunks") if pipeline.models else ()
    shared: dict[str, Any] = settings.as_json()
    return digest_of(
        {
            "pipeline": pipeline.name,
            "collection": collection_digest,
            "queries": list(queries.items()),
            "settings": {name: shared[name] for name in ("size", "fields", "fusion", *of_models)},
            "blend_weights": weights,
            "token_vectors": [token_vectors, *late, *codecs] if late else None,
            "models": {name: models[name].digest for name in used},
            "engine": [engine.name, engine.version],
            "hybridrank": version("hybridrank"),
        }
    )


def digest_of(content: Any) -> str:
    """Returns the SHA-256 over a value as JSON, keys sorted."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
