"""A BERT as weights by transformers' names; a graph from which it cannot be read exactly is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hybridrank.common.errors import HybridrankError
from hybridrank.training.onnx.berts.constants import Array

__all__ = ["Bert", "NotABert", "layers_of", "parameter"]

PARAMETER = re.compile(
    r"(?:^|\.)((?:embeddings|encoder\.layer\.\d+|pooler|classifier)\.(?:.+\.)?(?:weight|bias))$"
)  # after a prefix such as `bert.` or `0.auto_model.`
LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


class NotABert(HybridrankError):
    """The model is no BERT, or its graph does not say exactly which one."""


@dataclass(frozen=True)
class Bert:
    """Weights by their names in transformers' BertModel, with `classifier` for a cross-encoder's head.

    Linear layers are (out, in). The other settings follow from the shapes.
    """

    weights: Mapping[str, Array]
    heads: int
    epsilon: float

    @property
    def layers(self) -> int:
        """The number of layers."""
        return layers_of(self.weights)

    def weight(self, name: str) -> Array:
        """Returns a weight; raises NotABert with its name if the graph has none."""
        if name not in self.weights:
            raise NotABert(f"has no {name}")
        return self.weights[name]


def parameter(name: str) -> str | None:
    """Returns the name of a parameter without the prefix; None for a name of something else.

    >>> parameter("0.auto_model.embeddings.LayerNorm.bias")
    'embeddings.LayerNorm.bias'
    >>> parameter("onnx::MatMul_1525")
    """
    found = PARAMETER.search(name)
    return found[1] if found else None


def layers_of(names: Mapping[str, Array]) -> int:
    """Returns the number of layers among names of weights."""
    return max((int(found[1]) + 1 for name in names if (found := LAYER.match(name))), default=0)
