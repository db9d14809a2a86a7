"""What a feature is: a name, a meaning, what it asks of the engine, and how its value is read from the answer."""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from hybridrank.ltr_features.transforms import Direction, Transform
from hybridrank.ltr_features.values import Among, Dialect, FeatureQuery, Seen

__all__ = ["MAX_WORDS", "MISSING", "BaseFeature", "words"]

MISSING = math.nan
"""A value that is not known. LightGBM learns which way it goes; it is not 0."""

MAX_WORDS = 32
"""So many different words of a query are looked at one by one; a pasted page must not become a thousand clauses."""


class BaseFeature(BaseModel):
    """One column. `name` is what models, logs and reports call it; `description` is for people.

    Names hold nothing that LightGBM refuses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")
    description: str = ""
    transform: Transform | None = None

    def clause(self, query: FeatureQuery, among: Among, dialect: Dialect) -> dict[str, Any] | None:  # noqa: ARG002
        """A query clause whose score is the value, None for none."""
        return None

    def docvalues(self) -> tuple[dict[str, str], ...]:
        """Doc values to fetch of each candidate."""
        return ()

    def source_fields(self) -> tuple[str, ...]:
        """Fields of the stored document to fetch of each candidate."""
        return ()

    def aggregations(self, query: FeatureQuery) -> Mapping[str, Any]:  # noqa: ARG002
        """What to count over the whole index, by name."""
        return {}

    @property
    def clauses_per_word(self) -> int:
        """How many clauses each word of the query makes; 0 where their number is bounded."""
        return 0

    @property
    def evidence(self) -> Direction:
        """1 where more of the raw value can only speak for a document, -1 where against, 0 where data must tell."""
        return 0

    @property
    def direction(self) -> Direction:
        """What `evidence` says of the value that a model gets."""
        return cast("Direction", self.evidence * (self.transform.direction if self.transform else 1))

    def raw(self, seen: Seen) -> float:
        """The value before the transform; NaN when it is not known."""
        raise NotImplementedError

    def value(self, seen: Seen) -> float:
        """The value as a model gets it; NaN when it is not known."""
        raw = self.raw(seen)
        return raw if self.transform is None or math.isnan(raw) else self.transform.apply(raw)

    def score(self, seen: Seen) -> float:
        """The score of this feature's clause for the candidate; NaN where it did not match."""
        scores = seen.hit.get("matched_queries", {})
        return float(scores[self.name]) if self.name in scores else MISSING


@lru_cache(maxsize=256)  # every feature of every candidate asks for the words of the same query
def words(text: str) -> tuple[str, ...]:
    """The different words of a query, lower-case, in their order, at most MAX_WORDS.

    >>> words("The cat, the dog")
    ('the', 'cat', 'dog')
    """
    return tuple(dict.fromkeys(re.findall(r"\w+", text.lower())))[:MAX_WORDS]
