"""An ordered, named, versioned list of features: the columns of a model, with a digest that identifies the list."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hybridrank.common.error_text import wrong_value
from hybridrank.common.errors import HybridrankError
from hybridrank.common.settings_file import read_settings
from hybridrank.ltr_features.document import Age, FieldLength, Number, VectorSimilarity
from hybridrank.ltr_features.stages import FromRequest, Fused, QueryLength, RerankScore, Retriever
from hybridrank.ltr_features.text import Bm25, Coverage, Idf, Phrase, Proximity
from hybridrank.ltr_features.transforms import Direction

__all__ = ["BadFeatureSet", "Feature", "FeatureSet"]

Feature: TypeAlias = Annotated[
    Bm25
    | Phrase
    | Proximity
    | Coverage
    | Idf
    | Number
    | Age
    | FieldLength
    | VectorSimilarity
    | QueryLength
    | Retriever
    | Fused
    | RerankScore
    | FromRequest,
    Field(discriminator="kind"),
]


class BadFeatureSet(HybridrankError, ValueError):
    """A file does not describe a feature set; the message names file, feature and field."""


class FeatureSet(BaseModel):
    """The columns of a model, in order. Names must differ."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    version: str = Field("1", min_length=1)
    features: tuple[Feature, ...] = Field(min_length=1)

    @field_validator("features")
    @classmethod
    def _names_differ(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        names = [feature.name for feature in features]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"more than one feature is called {', '.join(twice)}")
        return features

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def directions(self) -> dict[str, Direction]:
        """Feature → 1 if a score can only rise with it, -1 if only fall; features of unknown direction are left out."""
        return {feature.name: feature.direction for feature in self.features if feature.direction}

    @property
    def digest(self) -> str:
        """SHA-256 over the order, names, kinds and parameters: a model accepts only the columns it was trained on.

        Descriptions, and the name and version of the set, are not included.
        """
        columns = [feature.model_dump(mode="json", exclude_defaults=True) for feature in self.features]
        for column in columns:
            column.pop("description", None)
        return hashlib.sha256(json.dumps(columns, sort_keys=True).encode()).hexdigest()

    @classmethod
    def load(cls, path: Path) -> "FeatureSet":
        """Reads a .json, .yaml or .yml file. Raises BadFeatureSet."""
        content = read_settings(path, BadFeatureSet)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise BadFeatureSet(f"{path}: {_problems(error, content)}") from error

    def dump(self, path: Path) -> None:
        """Writes a .json file that `load` can read."""
        path.write_text(json.dumps(self.model_dump(mode="json", exclude_defaults=True), indent=1) + "\n")


def _problems(error: ValidationError, content: Any) -> str:
    """Describes the errors, with names of features instead of their numbers."""
    found = []
    for problem in error.errors():
        place = list(problem["loc"])
        if len(place) > 1 and place[0] == "features" and isinstance(place[1], int):
            feature = content["features"][place[1]]
            name = feature.get("name") if isinstance(feature, dict) else None
            place = [f"feature {name or place[1] + 1}", *place[3:]]
        found.append(f"{'.'.join(map(str, place)) or 'the file'}: {wrong_value(problem)}")
    return "; ".join(found)
