"""Errors of recipes, their data and their results."""

__all__ = ["RecipeError"]


class RecipeError(Exception):
    """Training cannot start or continue; the message names the file or the setting, and what to do."""
