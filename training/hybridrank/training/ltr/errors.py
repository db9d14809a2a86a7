"""Errors of training inputs and outputs; each message says what to do next.

LtrError
├── LetorError        a file is not LETOR text, or data cannot be written as LETOR
├── ClickError        clicks cannot be read or graded
├── FeaturesMissing   a search skipped a stage that features come from
├── TrainingError     the data or the options cannot be used for training
└── CannotExport      a format cannot express the forest
"""

from hybridrank.common.errors import HybridrankError

__all__ = ["CannotExport", "ClickError", "FeaturesMissing", "LetorError", "LtrError", "TrainingError"]


class LtrError(HybridrankError, ValueError):
    """Data, options or a model are wrong."""


class LetorError(LtrError):
    """The message names file and line."""


class ClickError(LtrError):
    """The message names file and line, or the option."""


class FeaturesMissing(LtrError):
    """The message names the query and the stage that failed."""


class TrainingError(LtrError):
    """The message says what to change."""


class CannotExport(LtrError):
    """The message names the place, and says how to train a forest that fits."""
