"""What can be wrong with a recipe, its data, or what came out of it."""

__all__ = ["RecipeError"]


class RecipeError(Exception):
    """Training cannot begin or go on; the message names the file or the setting, and what to do."""
