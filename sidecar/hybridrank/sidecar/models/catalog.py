"""The models of this process, found by name, name:version or alias."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hybridrank.model_files.calibration import Calibration
from hybridrank.model_files.token_codec import Format, TokenCodec
from hybridrank.sidecar.errors import InvalidArgument, ModelNotFound
from hybridrank.sidecar.rerankers.base import Encoder, Reranker
from hybridrank.sidecar.rerankers.lambdamart import LambdaMartReranker
from hybridrank.sidecar.types import ModelInfo


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory: every model reranks, a forest by features and the others by texts; an encoder also encodes.

    `codecs` are what token vectors may be stored as, of a model of late interaction; `calibration` makes its raw scores
    chances of relevance, where it has one.
    """

    info: ModelInfo
    reranker: Reranker | LambdaMartReranker
    encoder: Encoder | None = None
    codecs: Mapping[Format, TokenCodec] = field(default_factory=dict)
    calibration: Calibration | None = None


class Models:
    """Loaded models; a name and the aliases lead to the version that was put there last.

    Two names must not answer to one word. `put` and `remove` take effect in one step: a call finds the models of before
    or those of after, and one that runs keeps the model that it found. To be used from one thread.

    `names` are further words, each with the word of the model that it stands for, while that model is loaded.
    """

    def __init__(
        self, models: Iterable[LoadedModel] = (), *, keep_versions: int = 1, names: Mapping[str, str] | None = None
    ) -> None:
        self._keep_versions = keep_versions
        self._names = dict(names or {})
        self._versions: dict[str, tuple[LoadedModel, ...]] = {}  # by name, the one that serves first
        self._by_word: dict[str, LoadedModel] = {}
        for model in models:
            self.put(model)

    def __iter__(self) -> Iterator[LoadedModel]:
        """All of them, by the order of their names' arrival, the version that serves before older ones."""
        return (model for versions in self._versions.values() for model in versions)

    def words(self) -> Mapping[str, LoadedModel]:
        """Every word that a model answers to, and the model."""
        return dict(self._by_word)

    def infos(self) -> tuple[ModelInfo, ...]:
        """What callers may know of each model; the further names that lead to it are among its aliases."""
        further = {name: self._by_word[name] for name in self._names if name in self._by_word}
        return tuple(
            replace(each.info, aliases=(*each.info.aliases, *(name for name, led in further.items() if led is each)))
            for each in self
        )

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
            encoders = [other.info.name for other in self if other.encoder]
            raise InvalidArgument("model", f"{word} is a {model.info.kind}; encoders are {', '.join(encoders)}")
        return model.encoder

    def put(self, model: LoadedModel) -> None:
        """Have its name and aliases lead to `model`, and let go of the name's versions beyond `keep_versions`.

        ValueError, and nothing changes, when another name answers to one of its words.
        """
        name = model.info.name
        others = [other for other in self._versions.get(name, ()) if other.info.version != model.info.version]
        self._replace({**self._versions, name: (model, *others[: self._keep_versions - 1])})

    def remove(self, word: str) -> tuple[LoadedModel, ...]:
        """Let go of a name, with all its versions, or of a name:version; returns what went, newest first."""
        name, _, version = word.partition(":")
        gone = tuple(each for each in self._versions.get(name, ()) if version in {"", each.info.version})
        if not gone:
            raise ModelNotFound(word, tuple(self._by_word))
        kept = tuple(each for each in self._versions[name] if each not in gone)
        self._replace({key: kept if key == name else value for key, value in self._versions.items()})
        return gone

    def _replace(self, versions: dict[str, tuple[LoadedModel, ...]]) -> None:
        versions = {name: found for name, found in versions.items() if found}
        by_word: dict[str, LoadedModel] = {}
        for found in versions.values():
            for word, model in _words(found):
                if word in by_word:
                    names = f"{by_word[word].info.name} and {model.info.name}"
                    raise ValueError(f"two models answer to {word!r}: {names}; serve one, or change the aliases")
                by_word[word] = model
        for name in self._names:
            if name in by_word:
                raise ValueError(f"the setting names has {name!r}, which {by_word[name].info.name} already answers to")
        by_word |= {name: by_word[word] for name, word in self._names.items() if word in by_word}
        self._versions, self._by_word = versions, by_word


def _words(versions: Sequence[LoadedModel]) -> Iterator[tuple[str, LoadedModel]]:
    """What the versions of a name answer to: the serving one to the name and its aliases, each to name:version."""
    serving = versions[0].info
    yield serving.name, versions[0]
    for model in versions:
        yield f"{serving.name}:{model.info.version}", model
    for alias in serving.aliases:
        yield alias, versions[0]
