"""Base class of features: a name, a meaning, the request to the engine, and the reading of its answer."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from hybridrank.ltr_features.transforms import Direction, Transform
from hybridrank.ltr_features.values import Among, Dialect, FeatureQuery, Seen

__all__ = ["MAX_WORDS", "MISSING", "BaseFeature", "words"]

MISSING = math.nan
"""An unknown value, different from 0. LightGBM learns which branch it takes."""

MAX_WORDS = 32
"""Maximum of different query words with a clause each; a pasted page must not become a thousand clauses."""


class BaseFeature(BaseModel, ABC):
    """One column. Models, logs and reports use `name`; `description` is for people.

    Names contain no character that LightGBM refuses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")
    description: str = ""
    transform: Transform | None = None

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any] | None:  # noqa: ARG002
        """Returns a query clause whose score is the value; None if the feature needs no clause."""
        return None

    def docvalues(self) -> tuple[dict[str, str], ...]:
        """Doc values to fetch for each candidate."""
        return ()

    def source_fields(self) -> tuple[str, ...]:
        """Fields of the stored document to fetch for each candidate."""
        return ()

    def aggregations(self, query: FeatureQuery) -> Mapping[str, Any]:  # noqa: ARG002
        """Returns aggregations over the whole index, by name."""
        return {}

    @property
    def clauses_per_word(self) -> int:
        """Number of clauses for each word of the query; 0 if the total is bounded."""
        return 0

    @property
    def evidence(self) -> Direction:
        """1 if a higher raw value can only speak for a document, -1 if only against, 0 if only data can decide."""
        return 0

    @property
    def direction(self) -> Direction:
        """The direction of `evidence` after the transform."""
        return cast("Direction", self.evidence * (self.transform.direction if self.transform else 1))

    @abstractmethod
    def raw(self, seen: Seen) -> float:
        """Returns the value before the transform; NaN if unknown."""

    def value(self, seen: Seen) -> float:
        """Returns the value that a model gets; NaN if unknown."""
        raw = self.raw(seen)
        return raw if self.transform is None or math.isnan(raw) else self.transform.apply(raw)

    def score(self, seen: Seen) -> float:
        """Returns the score of this feature's clause for the candidate; NaN if it did not match."""
        scores = seen.hit.get("matched_queries", {})
        return float(scores[self.name]) if self.name in scores else MISSING


@lru_cache(maxsize=256)  # every feature of every candidate needs the words of the same query
def words(text: str) -> tuple[str, ...]:
    """Returns the different words of a query, lower-case, in their order, at most MAX_WORDS.

    >>> words("The cat, the dog")
    ('the', 'cat', 'dog')
    """
    return tuple(dict.fromkeys(re.findall(r"\w+", text.lower())))[:MAX_WORDS]
