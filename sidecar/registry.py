"""The models of this process: loads folders, checks that they work, and finds a model by name or alias."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sidecar.errors import BadModelFolder, InvalidArgument, ModelNotFound
from sidecar.rerankers.base import Encoder, Reranker
from sidecar.rerankers.colbert import ColbertReranker
from sidecar.rerankers.cross_encoder import CrossEncoderReranker
from sidecar.rerankers.dense import DenseEncoder
from sidecar.runtime import model_folder
from sidecar.types import ModelInfo, TextKind

SELF_CHECK = ("what does a sidecar do", ("A sidecar scores passages beside the search engine.", ""))


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory: every model reranks, an encoder also encodes."""

    info: ModelInfo
    reranker: Reranker
    encoder: Encoder | None = None


class Models:
    """Loaded models by name, name:version and alias. Two models must not answer to one word."""

    def __init__(self, models: Iterable[LoadedModel]) -> None:
        self._models = tuple(models)
        self._by_word: dict[str, LoadedModel] = {}
        for model in self._models:
            info = model.info
            for word in (info.name, f"{info.name}:{info.version}", *info.aliases):
                if word in self._by_word:
                    raise ValueError(f"two models answer to {word!r}: {self._by_word[word].info.name} and {info.name}")
                self._by_word[word] = model

    def __iter__(self) -> Iterator[LoadedModel]:
        return iter(self._models)

    def get(self, word: str) -> LoadedModel:
        """The model that answers to `word`; ModelNotFound lists what does."""
        if not word:
            raise InvalidArgument("model", f"is empty; loaded are {', '.join(self._by_word)}")
        if word not in self._by_word:
            raise ModelNotFound(word, tuple(self._by_word))
        return self._by_word[word]

    def encoder(self, word: str) -> Encoder:
        """The encoder that answers to `word`; InvalidArgument when that model only scores pairs."""
        model = self.get(word)
        if model.encoder is None:
            encoders = [other.info.name for other in self._models if other.encoder]
            raise InvalidArgument("model", f"{word} is a {model.info.kind}; encoders are {', '.join(encoders)}")
        return model.encoder


def load(paths: Sequence[Path]) -> Models:
    """Load every model folder at or below `paths`, and try each; takes a second a model or so."""
    folders = [folder for path in paths for folder in model_folder.find_model_folders(path)]
    return Models(_load_one(model_folder.read(folder)) for folder in folders)


def _load_one(folder: model_folder.ModelFolder) -> LoadedModel:
    if isinstance(folder.toml, model_folder.EncoderToml):
        encoder = DenseEncoder(folder, folder.toml)
        model = LoadedModel(folder.info, ColbertReranker(encoder), encoder)
    else:
        model = LoadedModel(folder.info, CrossEncoderReranker(folder))
    if problem := self_check(model):
        raise BadModelFolder(folder.path, f"the model loads but does not work here: {problem}")
    return model


def self_check(model: LoadedModel) -> str | None:
    """Compute a few scores and a vector; what is wrong with them, None for nothing."""
    query, passages = SELF_CHECK
    scores = model.reranker.score(model.reranker.tokenize(query, passages))
    if scores.shape != (len(passages),) or not np.isfinite(scores).all():
        return f"{len(passages)} passages got the scores {scores.tolist()}"
    if model.encoder:
        vectors = model.encoder.embed(model.encoder.tokenize_texts(passages, TextKind.DOCUMENT))
        wanted = (len(passages), model.info.dimensions)
        if vectors.shape != wanted or not np.isfinite(vectors).all():
            return f"vectors of shape {vectors.shape} came back, or some not finite; model.toml says {wanted}"
    return None
