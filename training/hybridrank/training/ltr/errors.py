"""What can be wrong with what goes into training and comes out of it; each message says what to do next.

LtrError
├── LetorError        a file is not LETOR text, or data cannot be written as such
├── ClickError        clicks cannot be read or graded
├── FeaturesMissing   a search went without a part that features come from
├── TrainingError     the data or the options cannot be trained with
└── CannotExport      a format cannot say what the forest does
"""

__all__ = ["CannotExport", "ClickError", "FeaturesMissing", "LetorError", "LtrError", "TrainingError"]


class LtrError(ValueError):
    """Something is wrong with data, options or a model."""


class LetorError(LtrError):
    """The message names file and line."""


class ClickError(LtrError):
    """The message names file and line, or the option."""


class FeaturesMissing(LtrError):
    """The message names the query and the stage that failed."""


class TrainingError(LtrError):
    """The message says what to change."""


class CannotExport(LtrError):
    """The message says where, and how to train a forest that fits."""
