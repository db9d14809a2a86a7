"""The kinds of models, by their name in model.toml: to add one, add its file and its line here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hybridrank.model_files import model_folder
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.rerankers import (
    colbert,
    cross_encoder,
    encoder,
    lambdamart,
    prompt_reranker,
    remote_encoder,
    remote_reranker,
    splade,
)
from hybridrank.sidecar.rerankers.kind import Kind, Variant
from hybridrank.sidecar.runtime.precision import Wanted

__all__ = ["KINDS", "variants"]

KINDS: Mapping[str, Kind] = {
    "encoder": encoder.variants,
    "cross-encoder": cross_encoder.variants,
    "colbert": colbert.variants,
    "splade": splade.variants,
    "prompt-reranker": prompt_reranker.variants,
    "lambdamart": lambdamart.variants,
    "remote-encoder": remote_encoder.variants,
    "remote-reranker": remote_reranker.variants,
}


def variants(path: Path, wanted: Wanted) -> Sequence[Variant]:
    """Returns the ways to compute the model in a folder; raises BadModelFolder, also for a kind that is not here."""
    kind = model_folder.kind_of(path)
    if kind not in KINDS:
        raise BadModelFolder(path, f"model.toml: kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    return KINDS[kind](path, wanted)
