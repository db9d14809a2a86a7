"""Selects the models of a command that can score the token vectors of an index."""

from collections.abc import Collection, Sequence

import typer

from hybridrank.cli.feature_sets import by_name
from hybridrank.connector import ModelInfo

__all__ = ["stored_models"]


def stored_models(wanted: Collection[str], models: Sequence[ModelInfo]) -> tuple[str, ...]:
    """Those of the wanted names that lead to late interaction. Raises typer.BadParameter for none."""
    known = by_name(models)
    found = tuple(name for name in wanted if name in known and known[name].kind in {"encoder", "colbert"})
    if not found:
        raise typer.BadParameter(
            f"{', '.join(wanted) or 'no reranker'} scores no token vectors; late interaction does, as colbert",
            param_hint="--token-vectors",
        )
    return found
