"""Names in the files of sentence-transformers, which exports and imports read. Needs no torch."""

from collections.abc import Mapping, Sequence

__all__ = ["DOCUMENT_PROMPTS", "LENGTH_FILES", "POOLING_FLAGS", "QUERY_PROMPTS", "first_of"]

LENGTH_FILES = tuple(
    f"sentence_{name}_config.json"  # named after the class of the model once
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
QUERY_PROMPTS, DOCUMENT_PROMPTS = ("query",), ("document", "passage", "corpus")


def first_of(prompts: Mapping[str, str], names: Sequence[str]) -> str:
    """Returns the prompt that has the first of these names, "" if none has."""
    return next((prompts[name] for name in names if name in prompts), "")
