"""Models of this process, by name, name:version or alias."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from hybridrank.common.model_info import ModelInfo
from hybridrank.sidecar.errors import InvalidArgument, ModelNotFound
from hybridrank.sidecar.rerankers.base import Encoder
from hybridrank.sidecar.rerankers.kind import LoadedModel


class Models:
    """Loaded models; a name and its aliases point to the version that was put last.

    Two models must not share a word. `put` and `remove` take effect in one step: a call sees the models either before
    or after, and a running call keeps its model. Use it from one thread.

    `names` are further words, each with the word of its target model, valid while that model is loaded. A model whose
    alias is one of them does not answer to it.
    """

    def __init__(
        self, models: Iterable[LoadedModel] = (), *, keep_versions: int = 1, names: Mapping[str, str] | None = None
    ) -> None:
        self._keep_versions = keep_versions
        self._names = dict(names or {})
        self._versions: dict[str, tuple[LoadedModel, ...]] = {}  # by name, the serving version first
        self._by_word: dict[str, LoadedModel] = {}
        for model in models:
            self.put(model)

    def __iter__(self) -> Iterator[LoadedModel]:
        """All models, in the order in which their names arrived, the serving version before older ones."""
        return (model for versions in self._versions.values() for model in versions)

    def words(self) -> Mapping[str, LoadedModel]:
        """Returns every word of a model, with the model."""
        return dict(self._by_word)

    def infos(self) -> tuple[ModelInfo, ...]:
        """Returns information about each model that callers may see; its further names are among the aliases."""
        further = {name: self._by_word[name] for name in self._names if name in self._by_word}
        return tuple(
            replace(each.info, aliases=(*self._aliases(each), *(name for name, led in further.items() if led is each)))
            for each in self
        )

    def _aliases(self, model: LoadedModel) -> tuple[str, ...]:
        return tuple(each for each in model.info.aliases if each not in self._names)

    def get(self, word: str) -> LoadedModel:
        """Returns the model for `word`; ModelNotFound lists the valid words."""
        if not word:
            raise InvalidArgument("model", f"is empty; loaded are {', '.join(self._by_word)}")
        if word not in self._by_word:
            raise ModelNotFound(word, tuple(self._by_word))
        return self._by_word[word]

    def encoder(self, word: str) -> Encoder:
        """Returns the encoder for `word`; raises InvalidArgument if that model only scores pairs."""
        model = self.get(word)
        if model.encoder is None:
            encoders = [other.info.name for other in self if other.encoder]
            raise InvalidArgument("model", f"{word} is a {model.info.kind}; encoders are {', '.join(encoders)}")
        return model.encoder

    def put(self, model: LoadedModel) -> None:
        """Points its name and aliases to `model`, and drops the name's versions beyond `keep_versions`.

        Raises ValueError, and changes nothing, if another name uses one of its words.
        """
        name = model.info.name
        others = [other for other in self._versions.get(name, ()) if other.info.version != model.info.version]
        self._replace({**self._versions, name: (model, *others[: self._keep_versions - 1])})

    def remove(self, word: str) -> tuple[LoadedModel, ...]:
        """Drops a name with all its versions, or a name:version; returns the dropped models, newest first."""
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
            for word, model in _words(found, self._aliases(found[0])):
                if word in by_word:
                    names = f"{by_word[word].info.name} and {model.info.name}"
                    raise ValueError(f"two models answer to {word!r}: {names}; serve one, or change the aliases")
                by_word[word] = model
        for name in self._names:
            if name in by_word:
                raise ValueError(f"the setting names has {name!r}, which {by_word[name].info.name} already answers to")
        by_word |= {name: by_word[word] for name, word in self._names.items() if word in by_word}
        self._versions, self._by_word = versions, by_word


def _words(versions: Sequence[LoadedModel], aliases: Iterable[str]) -> Iterator[tuple[str, LoadedModel]]:
    """Yields the words of a name's versions: the serving one has the name and the aliases, each has name:version."""
    serving = versions[0].info
    yield serving.name, versions[0]
    for model in versions:
        yield f"{serving.name}:{model.info.version}", model
    for alias in aliases:
        yield alias, versions[0]
