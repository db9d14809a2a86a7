"""Models in this process, without a server: the public face of the sidecar for training and tools.

`load_model` reads and tests a model folder; `relevance_scores` and `cosines` compute as the server does. The rest is
what an export needs to compare a graph with its original.
"""

from hybridrank.sidecar.models.catalog import LoadedModel
from hybridrank.sidecar.models.trial import build, cosines, load_model, relevance_scores, score_golden_pairs
from hybridrank.sidecar.rerankers.colbert import ColbertReranker, TokenEncoder
from hybridrank.sidecar.rerankers.colbert_encoder import OUTPUT as TOKEN_VECTORS
from hybridrank.sidecar.runtime.onnx_session import INPUTS, OnnxSession, padded
from hybridrank.sidecar.runtime.precision import Placed
from hybridrank.sidecar.runtime.tokenizer import TextTokenizer
from hybridrank.sidecar.types import TextKind

__all__ = [
    "INPUTS",
    "TOKEN_VECTORS",
    "ColbertReranker",
    "LoadedModel",
    "OnnxSession",
    "Placed",
    "TextKind",
    "TextTokenizer",
    "TokenEncoder",
    "build",
    "cosines",
    "load_model",
    "padded",
    "relevance_scores",
    "score_golden_pairs",
]
