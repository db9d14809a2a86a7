"""Checks of requests that several kinds of rerankers share."""

from hybridrank.common.model_info import ModelInfo
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.types import RerankRequest

__all__ = ["require_query", "require_text"]


def require_query(request: RerankRequest, model: ModelInfo) -> None:
    """Raises InvalidArgument for a query without a word, or for contributions, which text models do not have."""
    require_text("query", request.query)
    if request.contributions:
        problem = f"are of features, and {model.name} is a {model.kind}, which reads text; leave them out"
        raise InvalidArgument("options.contributions", problem)


def require_text(field: str, text: str) -> None:
    """Raises InvalidArgument for a text without a word."""
    if not text.strip():
        raise InvalidArgument(field, "is empty; send at least one word")
