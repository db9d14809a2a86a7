"""Models of a cross-validation: each query is ranked by the model that was trained without it.

The folder contains model folders, as `hybridrank ltr train --fold-models` writes them, and folds.json: `name`, the name
of all of them in pipelines, and `models`, each with the queries (query_id → text) that it has not seen.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hybridrank.common.settings_file import read_settings
from hybridrank.evaluation.collections.beir import CollectionError

__all__ = ["FILE", "FoldModels"]

FILE = "folds.json"


@dataclass(frozen=True)
class FoldModels:
    """`held_out`: model → query_id → text, for queries that the model saw neither in the same nor in a similar form."""

    folder: Path
    name: str
    held_out: Mapping[str, Mapping[str, str]]

    @property
    def feature_sets(self) -> tuple[Path, ...]:
        """The file of each model's feature set."""
        return tuple(self.folder / model / "features.json" for model in self.held_out)

    def model_for(self, query_id: str) -> str:
        """Returns the model that has not seen this query. Raises KeyError."""
        return {each: model for model, queries in self.held_out.items() for each in queries}[query_id]

    def check(self, queries: Mapping[str, str]) -> None:
        """Raises CollectionError unless each query (query_id → text), with the same text, was held out of one model."""
        known = {query_id: text for each in self.held_out.values() for query_id, text in each.items()}
        for query_id, text in queries.items():
            if known.get(query_id) != text:
                what = "says something else" if query_id in known else "is not there"
                raise CollectionError(
                    f"{self.folder / FILE}: query {query_id!r} {what}, so no model is known not to have seen it; train"
                    " the models again on all queries that are to be measured"
                )

    def save(self) -> None:
        """Writes folds.json; the models are beside it."""
        content = {"name": self.name, "models": self.held_out}
        (self.folder / FILE).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "FoldModels":
        """Raises CollectionError if the file is missing or invalid, or has a query twice."""
        file = folder / FILE
        try:
            content = read_settings(file, CollectionError)
            found = cls(folder, str(content["name"]), {name: dict(each) for name, each in content["models"].items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CollectionError(f"{file}: cannot be read: {type(error).__name__} {error}") from error
        held_out = [query_id for each in found.held_out.values() for query_id in each]
        if twice := sorted({each for each in held_out if held_out.count(each) > 1}):
            raise CollectionError(f"{file}: query {twice[0]!r} is held out of two models, so one has seen it")
        return found
