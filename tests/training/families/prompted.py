"""Language models that rerank by their prompt, beside their publishers' code."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.training.families.row import Array, Row, Served
from tests.training.families.texts import Pair

__all__ = ["ROWS"]


def _saved(folder: Path, tokenizer: str, **config: Any) -> None:
    from tests.training import tiny_prompted

    getattr(tiny_prompted, f"save_{tokenizer}")(folder, **config)


def _published(source: Path, pairs: Sequence[Pair], max_tokens: int, publisher: str, **further: Any) -> Array:
    from tests.training import tiny_prompted

    scores: Array = getattr(tiny_prompted, publisher)(source, pairs, max_tokens, **further)
    return scores


def _prompted(
    name: str,
    examples: str,
    template: str,
    max_tokens: int,
    build: partial[None],
    publisher: str,
    asked: Mapping[str, Any] | None = None,
    **further: Any,
) -> Served:
    asked = {"template": template, "max_tokens": max_tokens, **(asked or {})}
    expected = partial(_published, publisher=publisher, **further)
    return Served(name, examples, "prompt-reranker", build, expected, max_tokens, within=1e-4, asked=asked)


NARROW = {"initializer_factor": 0.7}  # int8 keeps no order of golden pairs where random layers magnify its rounding
ROWS: tuple[Row, ...] = (
    _prompted(
        "Qwen3-Reranker",
        "Qwen/Qwen3-Reranker-0.6B",
        "qwen3-reranker",
        200,
        partial(_saved, tokenizer="qwen"),
        "qwen3_reranker",
    ),
    _prompted(
        "mxbai-rerank v2",
        "mixedbread-ai/mxbai-rerank-base-v2",
        "mxbai-rerank-v2",
        200,
        partial(_saved, tokenizer="qwen", model_type="qwen2", seed=4),
        "mxbai_rerank_v2",
    ),
    _prompted(
        "bge-reranker-v2-gemma",
        "BAAI/bge-reranker-v2-gemma",
        "bge-reranker-v2-gemma",
        120,
        partial(_saved, tokenizer="gemma"),
        "bge_reranker_v2_gemma",
    ),
    _prompted(
        "monoT5",
        "castorini/monot5-base-msmarco",
        "monot5",
        64,
        partial(_saved, tokenizer="t5", **NARROW),
        "t5",
        answers=("▁true", "▁false"),
    ),
    _prompted(
        "monoT5 on mT5",
        "unicamp-dl/mt5-base-mmarco-v2",
        "monot5",
        64,
        partial(_saved, tokenizer="t5", model_type="mt5", **NARROW),
        "t5",
        asked={"answers": ("yes", "no")},
        answers=("▁yes", "▁no"),
    ),
    _prompted(
        "RankT5",
        "T5 with its answer <extra_id_10>",
        "rankt5",
        64,
        partial(_saved, tokenizer="t5", seed=5, **NARROW),
        "t5",
        answers=("<extra_id_10>",),
        end="",
    ),
)
