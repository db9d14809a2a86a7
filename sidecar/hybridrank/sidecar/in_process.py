"""Models in this process, without a server: the public face of the sidecar for training and tools.

`load_model` reads and tests a model folder; its rerankers and `cosines` compute as the server does. The rest is
what an export needs to compare a graph with its original.
"""

from hybridrank.sidecar.models.trial import cosines, load_model, load_untested, score_golden_pairs
from hybridrank.sidecar.rerankers.base import TokenEncoder
from hybridrank.sidecar.rerankers.colbert import OUTPUT as TOKEN_VECTORS
from hybridrank.sidecar.rerankers.encoder import SENTENCE_VECTORS
from hybridrank.sidecar.rerankers.kind import LoadedModel
from hybridrank.sidecar.rerankers.splade import OUTPUT as SPARSE_WEIGHTS
from hybridrank.sidecar.rerankers.splade import QUERY_WEIGHTS
from hybridrank.sidecar.runtime.onnx_session import INPUTS, OnnxSession, padded
from hybridrank.sidecar.runtime.session import OpenSession, computed_by
from hybridrank.sidecar.runtime.tokenizer import TextTokenizer, TokenSequence
from hybridrank.sidecar.types import TextKind

__all__ = [
    "INPUTS",
    "QUERY_WEIGHTS",
    "SENTENCE_VECTORS",
    "SPARSE_WEIGHTS",
    "TOKEN_VECTORS",
    "LoadedModel",
    "OnnxSession",
    "OpenSession",
    "TextKind",
    "TextTokenizer",
    "TokenEncoder",
    "TokenSequence",
    "computed_by",
    "cosines",
    "load_model",
    "load_untested",
    "padded",
    "score_golden_pairs",
]
