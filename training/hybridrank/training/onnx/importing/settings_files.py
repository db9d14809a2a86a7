"""The JSON files of transformers and sentence-transformers beside an ONNX file, by the fields that an import reads."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from hybridrank.common.error_text import wrong_values
from hybridrank.training.onnx.importing import layout
from hybridrank.training.onnx.importing.errors import ImportRefused
from hybridrank.training.onnx.importing.source import Source
from hybridrank.training.onnx.sources.sentence_names import LENGTH_FILES

__all__ = ["Module", "PoolingFile", "SentenceTransformersFile", "SettingsFiles", "read_settings_files"]

T = TypeVar("T")


class _File(BaseModel):
    """Fields of a file; others are left out, and null is the same as none."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        return {name: value for name, value in content.items() if value is not None}


class ConfigFile(_File):
    """config.json of transformers."""

    model_type: str = ""
    max_position_embeddings: float | None = None
    pad_token_id: int = 0
    hidden_size: int | None = None


class Truncation(_File):
    """The place where a tokenizer.json cuts a text."""

    max_length: float | None = None
    direction: str = "Right"


class TokenizerFile(_File):
    """tokenizer.json of the tokenizers library."""

    truncation: Truncation = Truncation()


class TokenizerConfigFile(_File):
    """tokenizer_config.json of transformers."""

    model_max_length: float | None = None
    add_eos_token: bool = False
    do_lower_case: bool | None = None
    truncation_side: str | None = None


class SentenceFile(_File):
    """sentence_bert_config.json of sentence-transformers."""

    max_seq_length: float | None = None
    do_lower_case: bool = False


class SentenceTransformersFile(_File):
    """config_sentence_transformers.json."""

    prompts: Mapping[str, str | None] = {}
    default_prompt_name: str = ""
    truncate_dim: int | None = None
    similarity_fn_name: str = "cosine"


class PoolingFile(_File):
    """1_Pooling/config.json of sentence-transformers."""

    pooling_mode: str | tuple[str, ...] = ()
    pooling_mode_cls_token: bool = False
    pooling_mode_max_tokens: bool = False
    pooling_mode_mean_tokens: bool = False
    pooling_mode_mean_sqrt_len_tokens: bool = False
    pooling_mode_weightedmean_tokens: bool = False
    pooling_mode_lasttoken: bool = False
    include_prompt: bool = True


class Module(_File):
    """An entry of modules.json."""

    type: str
    path: str = ""

    @property
    def name(self) -> str:
        """The name of its class."""
        return self.type.rsplit(".", 1)[-1]


class SettingsFiles(_File):
    """The files of a model; one that is absent has its defaults."""

    config: ConfigFile = ConfigFile()
    tokenizer: TokenizerFile = TokenizerFile()
    tokenizer_config: TokenizerConfigFile = TokenizerConfigFile()
    sentence: SentenceFile = SentenceFile()
    sentence_transformers: SentenceTransformersFile = SentenceTransformersFile()
    pooling: PoolingFile = PoolingFile()
    modules: tuple[Module, ...] = ()


def read_settings_files(source: Source, graph: str, tokenizer: str) -> SettingsFiles:
    """Reads each file from the tokenizer's folder, the graph's, or one above; raises ImportRefused for a wrong one."""

    def found(kind: type[T], *names: str) -> T | None:
        places = (place for name in names for start in (tokenizer, graph) for place in layout.beside(start, name))
        path = next((each for each in places if each in source.sizes), None)
        return None if path is None else _checked(kind, source.json(path), path)

    modules = found(tuple[Module, ...], "modules.json") or ()
    return SettingsFiles(
        config=found(ConfigFile, "config.json") or ConfigFile(),
        tokenizer=_checked(TokenizerFile, source.json(tokenizer), tokenizer),
        tokenizer_config=found(TokenizerConfigFile, "tokenizer_config.json") or TokenizerConfigFile(),
        sentence=found(SentenceFile, *LENGTH_FILES) or SentenceFile(),
        sentence_transformers=found(SentenceTransformersFile, "config_sentence_transformers.json")
        or SentenceTransformersFile(),
        pooling=found(PoolingFile, *_pooling_files(modules)) or PoolingFile(),
        modules=modules,
    )


def _checked(kind: type[T], content: Any, path: str) -> T:
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        raise ImportRefused(f"{path}: {wrong_values(error.errors())}; correct or remove it") from error


def _pooling_files(modules: tuple[Module, ...]) -> Iterator[str]:
    named = (each.path for each in modules if each.name == "Pooling" and each.path)
    yield from ((PurePosixPath(path) / "config.json").as_posix() for path in (*named, "1_Pooling"))
