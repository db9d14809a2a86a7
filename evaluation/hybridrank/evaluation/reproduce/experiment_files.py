"""Experiment files: the pipelines to measure on a collection, and the nDCG@10 that they had when it was recorded.

```yaml
collection: scifact        # the folder's name, in the folder of all collections
split: test
without: dev               # leaves the queries of another split out; if missing, none
training: zero-shot        # use of this collection in the models' training
queries: 300               # size of the sample; if missing, all queries
pipelines:
  bm25: 0.6838             # nDCG@10; ~ if never measured
  rrf: 0.7088
```

The file's name without its extension is the experiment's name. `published` lists results that others reported for the
same test set.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hybridrank.common import atomic
from hybridrank.common.settings_file import read_settings, validated
from hybridrank.connector.types import DEFAULT_CHUNKS, MAX_CHUNKS, TokenFormat
from hybridrank.evaluation.collections.beir import CollectionError, Qrels
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings, parse_pipeline

__all__ = ["EXPERIMENTS", "Experiment", "ExperimentError", "Published", "load_experiments", "sample", "write_expected"]

EXPERIMENTS = Path(__file__).with_name("experiments")
SEED = "hybridrank"
BASELINES = ("rrf", "knn")
TIMEOUT_S = 300.0  # an experiment measures rankings, not the timeout

Share = Annotated[float, Field(ge=0, le=1)]


class ExperimentError(CollectionError):
    """A file is not an experiment, or none has that name: the message names the file, and the field."""


class Published(BaseModel):
    """A result that others reported for the same queries and judgments, and its source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str = Field(min_length=1)
    ndcg: Share = Field(alias="ndcg@10")
    source: str = Field(min_length=1)
    address: str = Field(pattern="^https://")


class Experiment(BaseModel):
    """Pipelines to measure, and their expected scores.

    `pipelines` maps a pipeline's name to its expected nDCG@10; a result within `tolerance` of it passes. The other
    pipelines are tested against the `baselines`, by default rrf and knn if they are measured. Queries that the split
    `without` judges are left out, because somebody chose by them. `weight`, `window`, `max_chunks` and `token_vectors`
    have their meaning from `evaluate`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)

    name: str = Field(min_length=1)
    collection: str = Field(min_length=1)
    split: str = Field("test", min_length=1)
    without: str | None = Field(None, min_length=1)
    training: str = Field(min_length=1)
    queries: int | None = Field(None, ge=1)
    tolerance: float = Field(0.005, ge=0, lt=1)
    baselines: tuple[str, ...] = ()
    weight: float | None = Field(None, gt=0, le=1)
    window: int = Field(50, ge=1, le=10_000)
    max_chunks: int = Field(DEFAULT_CHUNKS, ge=1, le=MAX_CHUNKS)
    token_vectors: TokenFormat | None = None
    pipelines: Mapping[str, Share | None] = Field(min_length=1)
    published: tuple[Published, ...] = ()

    @field_validator("pipelines")
    @classmethod
    def _pipelines_exist(cls, pipelines: Mapping[str, float | None]) -> Mapping[str, float | None]:
        for name in pipelines:
            parse_pipeline(name)
        return pipelines

    @model_validator(mode="after")
    def _baselines_are_measured(self) -> "Experiment":
        if not self.compared_with:
            raise ValueError(f"name the baselines, as neither {' nor '.join(BASELINES)} is one of the pipelines")
        if missing := next((each for each in self.baselines if each not in self.pipelines), None):
            raise ValueError(f"the baseline {missing!r} is not one of the pipelines {', '.join(self.pipelines)}")
        return self

    @property
    def compared_with(self) -> tuple[str, ...]:
        """The baselines, each once."""
        return tuple(dict.fromkeys(self.baselines)) or tuple(each for each in BASELINES if each in self.pipelines)

    @property
    def parsed(self) -> tuple[Pipeline, ...]:
        """The pipelines, in the file's order."""
        return tuple(map(parse_pipeline, self.pipelines))

    @property
    def settings(self) -> PipelineSettings:
        """Settings that the pipelines share."""
        return PipelineSettings(
            weight=self.weight, rescore_window_size=self.window, timeout_s=TIMEOUT_S, max_chunks=self.max_chunks
        )

    @classmethod
    def load(cls, path: Path) -> "Experiment":
        """Reads a .yaml file. Raises ExperimentError."""
        content = read_settings(path, ExperimentError, extra="eval")
        if not isinstance(content, dict):
            raise ExperimentError(f"{path}: expected the fields of an experiment, as `collection: scifact`")
        return validated(cls, {**content, "name": path.stem}, path, ExperimentError)


def load_experiments(folder: Path = EXPERIMENTS, names: Sequence[str] = ()) -> tuple[Experiment, ...]:
    """Returns the experiments of a folder with these names, in that order; by default all. Raises ExperimentError."""
    files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if not files:
        raise ExperimentError(f"{folder}: there are no experiments, which are files that end in .yaml")
    for name in names:
        if name not in files:
            raise ExperimentError(f"{folder}: there is no experiment {name!r}; there are: {', '.join(files)}")
    return tuple(Experiment.load(files[name]) for name in dict.fromkeys(names or files))


def sample(queries: Mapping[str, str], qrels: Qrels, count: int | None) -> dict[str, str]:
    """Returns `count`, or all, of the queries with a relevant document, in the collection's order.

    The sample is random but the same everywhere: the queries with the smallest SHA-256 of "hybridrank:QUERY_ID". It
    depends on no result, and a larger sample includes a smaller one.
    """
    useful = [query_id for query_id in queries if max(qrels.get(query_id, {}).values(), default=0) > 0]
    drawn = set(sorted(useful, key=_lot)[:count])
    return {query_id: queries[query_id] for query_id in useful if query_id in drawn}


def write_expected(path: Path, measured: Mapping[str, float]) -> None:
    """Replaces the expected nDCG@10 of a file (pipeline → value); comments and everything else stay.

    Raises ExperimentError if a pipeline has no line of its own.
    """
    text = path.read_text(encoding="utf-8")
    for name, value in measured.items():
        line = re.compile(rf"^([ \t]+{re.escape(name)}:[ \t]*)[^\s#]+", flags=re.MULTILINE)
        text, found = line.subn(lambda match, value=value: f"{match[1]}{value:.4f}", text)  # type: ignore[misc]
        if found != 1:
            raise ExperimentError(f"{path}: expected one line `{name}: VALUE` below `pipelines:`, found {found}")
    atomic.write_text(path, text)


def _lot(query_id: str) -> bytes:
    return hashlib.sha256(f"{SEED}:{query_id}".encode()).digest()
