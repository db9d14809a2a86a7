"""Parameters of a search besides its index and its text, as a file that people read and change.

```yaml
retrievers: [bm25, knn]
fields: {title: 2.0, text: 1.0}
fusion: {kind: rrf, rank_constant: 20, weights: {bm25: 0.4, knn: 0.6}}
rank_window_size: 100
rescore: {model: cross-encoder, rescore_window_size: 50, weight: 0.7}
bm25: {k1: 0.9, b: 0.4}
```

Every key has its meaning from `SearchRequest`; a missing key has the default. Only `bm25` is not part of a search: it
sets the BM25 parameters of the index, and a missing one stays as it is in the index.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from hybridrank.common.settings_file import read_settings, validated
from hybridrank.connector import Rescore, SearchRequest
from hybridrank.connector.admin.similarity import Bm25Settings
from hybridrank.connector.fusion import Fusion, Rrf
from hybridrank.connector.request import RetrieverName
from hybridrank.evaluation.collections.beir import CollectionError
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings

__all__ = ["Configuration", "ConfigurationError", "ConfiguredPipeline"]

_OF_THE_CALLER = {"timeout_s", "allow_partial", "fields", "token_vectors"}  # not chosen by tuning


class ConfigurationError(CollectionError):
    """A file is not a configuration: the message names the file and the key."""


class Configuration(BaseModel):
    """The tuned parameters, each with its name, meaning and default from `SearchRequest`, and the index's `bm25`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    retrievers: tuple[RetrieverName, ...] = Field(("bm25", "knn"), min_length=1)
    fields: Mapping[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    fusion: Fusion = Rrf()
    rank_window_size: int = Field(100, ge=1, le=10_000)
    rescore: Rescore | None = None
    bm25: Bm25Settings | None = None

    @classmethod
    def load(cls, path: Path) -> "Configuration":
        """Reads a .yaml, .yml or .json file. Raises ConfigurationError."""
        content = read_settings(path, ConfigurationError, extra="eval")
        return validated(cls, {} if content is None else content, path, ConfigurationError)

    def as_json(self) -> dict[str, Any]:
        """Returns the content of a file."""
        content = self.model_dump(mode="json", exclude={"rescore": _OF_THE_CALLER})
        return {name: value for name, value in content.items() if value not in ({}, None)}

    def as_yaml(self) -> str:
        """Returns the text of a file for `load`, one line per key."""
        import yaml

        written: str = yaml.safe_dump(self.as_json(), sort_keys=False, default_flow_style=None, width=120)
        return written

    def request(self, index: str, query_text: str, **more: Any) -> SearchRequest:
        """Returns the search for a text with this configuration; `more` are further arguments of `SearchRequest`."""
        asked = {name: getattr(self, name) for name in type(self).model_fields if name != "bm25"}
        return SearchRequest(index=index, query_text=query_text, **asked | more)

    def stage(self, timeout_s: float, *, token_vectors: bool | None = None) -> Rescore | None:
        """Returns the rescoring stage with its timeout; `token_vectors`, if given, replaces that of the file."""
        stored = {} if token_vectors is None else {"token_vectors": token_vectors}
        return self.rescore and self.rescore.model_copy(update={"timeout_s": timeout_s, **stored})

    def as_python(self) -> str:
        """Returns Python code that makes the same request."""
        content = self.as_json()
        arguments = {"index": "index", "query_text": "text", "retrievers": repr(self.retrievers)}
        if self.fields:
            arguments["fields"] = repr(content["fields"])
        arguments["fusion"] = _call(type(self.fusion).__name__, self.fusion.model_dump(exclude_defaults=True))
        arguments["rank_window_size"] = repr(self.rank_window_size)
        if self.rescore:
            arguments["rescore"] = _call("Rescore", content["rescore"])
        return "".join(["SearchRequest(\n", *(f"    {name}={value},\n" for name, value in arguments.items()), ")"])


@dataclass(frozen=True, slots=True)
class ConfiguredPipeline(Pipeline):
    """A pipeline defined by a configuration; timeout and size come from the experiment."""

    configuration: Configuration = field(default_factory=Configuration)

    @classmethod
    def of(cls, name: str, configuration: Configuration) -> "ConfiguredPipeline":
        """Returns a pipeline with the name that tables show."""
        models = (configuration.rescore.model,) if configuration.rescore else ()
        return cls(name, configuration.retrievers, models, configuration)

    def request(self, index: str, query_text: str, settings: PipelineSettings, query_id: str = "") -> SearchRequest:  # noqa: ARG002
        """Returns the search of one query."""
        stored = settings.scores_stored(self.models[0]) if self.models else None
        return self.configuration.request(
            index,
            query_text,
            rescore=self.configuration.stage(settings.timeout_s, token_vectors=stored),
            sparse_encoder=settings.sparse_encoder,
            encode_timeout_s=settings.timeout_s,
            size=settings.size,
            strict=settings.strict,
        )


def _call(name: str, arguments: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(f'{each}={value!r}' for each, value in arguments.items())})"
