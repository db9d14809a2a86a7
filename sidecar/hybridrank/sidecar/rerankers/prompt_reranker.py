"""A prompted language model: a cross-encoder that reads query and passage in its prompt, and answers with one logit."""

from collections.abc import Sequence
from pathlib import Path

from hybridrank.model_files.model_folder import PromptRerankerToml
from hybridrank.sidecar.rerankers.cross_encoder import CrossEncoderReranker
from hybridrank.sidecar.rerankers.kind import LoadedModel, Variant, onnx_variants
from hybridrank.sidecar.runtime.precision import Placed, Wanted
from hybridrank.sidecar.runtime.prompt import PromptTokenizer

__all__ = ["variants"]


def variants(path: Path, wanted: Wanted) -> Sequence[Variant]:
    """The kind `prompt-reranker`."""
    return onnx_variants(path, PromptRerankerToml, wanted, _load)


def _load(placed: Placed, toml: PromptRerankerToml) -> LoadedModel:
    tokenizer = PromptTokenizer(placed.folder.path / "tokenizer.json", toml.max_tokens, toml.template)
    reranker = CrossEncoderReranker(placed.folder, placed.device, placed.runtime, tokenizer)
    return LoadedModel(reranker.info, reranker)
