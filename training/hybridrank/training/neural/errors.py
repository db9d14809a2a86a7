"""Errors of recipes, their data and their results."""

from hybridrank.common.errors import HybridrankError

__all__ = ["RecipeError"]


class RecipeError(HybridrankError):
    """Training cannot start or continue; the message names the file or the setting, and what to do."""
