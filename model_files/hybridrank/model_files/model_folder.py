"""Reads, verifies and writes a model folder: model.onnx, tokenizer.json, and model.toml that describes them.

A folder with an int8 model.onnx may also hold the same model at fp32, in model.fp32.onnx. The weights of a large graph
lie in files beside it.
"""

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from hybridrank.common.model_info import ModelInfo
from hybridrank.common.settings_file import validated
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.external_data import external_files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "BlendWeight",
    "ColbertToml",
    "CrossEncoderToml",
    "EncoderToml",
    "ModelFolder",
    "ModelToml",
    "OnnxToml",
    "PromptRerankerToml",
    "SpladeToml",
    "Text",
    "digest_of",
    "kind_of",
    "read",
    "read_toml",
    "require_files",
    "sha256",
    "write",
    "write_toml",
]

FILES = ("model.onnx", "tokenizer.json")
FP32_ONNX = "model.fp32.onnx"
CHUNK_BYTES = 1 << 20
Text = Annotated[str, Field(min_length=1)]


def _callable(name: str) -> str:
    if re.search(r"[\s:,=+]", name):
        raise ValueError("is no name: a space and : , = + stand between names in options and requests")
    return name


Name = Annotated[Text, AfterValidator(_callable)]
"""A name that callers and options can say, as in `rrf+NAME`, `NAME:VERSION` and `--names encoder=NAME`."""
LANGUAGE = r"^([a-z]{2,3}|\*)$"
"""An ISO 639 language code, such as "de"; "*" marks a multilingual model."""
Language = Annotated[str, Field(pattern=LANGUAGE)]
BlendWeight = Annotated[float, Field(gt=0, le=1)]
"""The share of a model in the blend of a search that names no weight, above 0 and at most 1."""


class ModelToml(BaseModel):
    """The fields of model.toml that every model has. `version` changes when the weights change.

    A kind of models is a subclass with its name as the only value of `kind`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    name: Name
    version: Name
    aliases: tuple[Name, ...] = ()
    licence: Text
    digest: str = ""


class OnnxToml(ModelToml):
    """The fields of model.toml that every model with a model.onnx has."""

    precision: Literal["fp32", "int8"]
    max_tokens: Annotated[int, Field(ge=8)]  # including special tokens
    fp32_digest: str = ""  # digest of the model with model.fp32.onnx in place of model.onnx
    languages: tuple[Language, ...] = ()  # training languages; empty if unknown
    blend_weight: BlendWeight | None = None
    reduced_range: bool = False  # int8 weights within 7 bits: sums of products saturate on no CPU

    def info_fields(self) -> dict[str, Any]:
        """Returns what callers see of the fields of this kind, by their names in ModelInfo."""
        return {}


class EncoderToml(OnnxToml):
    """An encoder: how its token rows become a vector, and which prefix it expects before each kind of text.

    With the pooling `graph` they do so inside the graph, which returns vectors.
    """

    kind: Literal["encoder"] = "encoder"
    pooling: Literal["mean", "cls", "last", "graph"]
    dimensions: Annotated[int, Field(ge=1)]
    query_prefix: str = ""
    document_prefix: str = ""

    def info_fields(self) -> dict[str, Any]:
        """Returns the dimensions, the pooling and the prefixes."""
        return self.model_dump(include={"dimensions", "pooling", "query_prefix", "document_prefix"})


class ColbertToml(OnnxToml):
    """A ColBERT checkpoint: how it reads queries and documents, and which document tokens it does not score.

    Lengths are in tokens, including special tokens and the marker; `max_tokens` is the length for documents.
    """

    kind: Literal["colbert"] = "colbert"
    dimensions: Annotated[int, Field(ge=1)]
    query_length: Annotated[int, Field(ge=8)]
    query_marker: str = ""  # the token after the first one; empty: no marker
    document_marker: str = ""
    query_prefix: str = ""
    document_prefix: str = ""
    expansion_token: str = ""  # pads a query to its length, and is scored; empty: no expansion
    attend_to_expansion: bool = False
    skiplist: tuple[str, ...] = ()  # document tokens that are read but not scored

    def info_fields(self) -> dict[str, Any]:
        """Returns the prefixes."""
        return self.model_dump(include={"query_prefix", "document_prefix"})


class CrossEncoderToml(OnnxToml):
    """A cross-encoder: its head returns one unbounded logit per pair."""

    kind: Literal["cross-encoder"] = "cross-encoder"
    head: Literal["logit"] = "logit"


class SpladeToml(OnnxToml):
    """A SPLADE model: how many of the heaviest tokens of a query and of a document it keeps.

    The graph returns a weight for each token of the vocabulary. With `query_weights`, the SHA-256 of query_weights.npy,
    a query is not computed by the graph: each of its tokens has its weight of that file.
    """

    kind: Literal["splade"] = "splade"
    query_terms: Annotated[int, Field(ge=1, le=1024)] = 64  # an engine's limit of clauses
    document_terms: Annotated[int, Field(ge=1, le=4096)] = 256
    query_prefix: str = ""
    document_prefix: str = ""
    query_weights: str = ""

    def info_fields(self) -> dict[str, Any]:
        """Returns the prefixes."""
        return self.model_dump(include={"query_prefix", "document_prefix"})


class PromptRerankerToml(OnnxToml):
    """A language model that reads query and passage in a prompt; its head returns one unbounded logit.

    Each piece of `template` is tokenised apart from the others, as in training; `{query}` and `{document}` stand in it
    once. `answers` are the tokens whose logits make the score: the first one's, minus the second one's if there is one;
    none for a classifier.
    """

    kind: Literal["prompt-reranker"] = "prompt-reranker"
    template: tuple[Text, ...]
    answers: Annotated[tuple[Text, ...], Field(max_length=2)] = ()

    @field_validator("template")
    @classmethod
    def _holds_both_texts(cls, template: tuple[str, ...]) -> tuple[str, ...]:
        for place in ("{query}", "{document}"):
            if (found := sum(piece.count(place) for piece in template)) != 1:
                raise ValueError(f"{place} must stand in the template once, and is there {found} times")
        return template


Toml = TypeVar("Toml", bound=ModelToml)
TOMLS: dict[str, type[OnnxToml]] = {
    "encoder": EncoderToml,
    "cross-encoder": CrossEncoderToml,
    "colbert": ColbertToml,
    "splade": SpladeToml,
    "prompt-reranker": PromptRerankerToml,
}
NOT_IN_DIGEST = frozenset(
    {
        *("name", "version", "aliases", "licence", "languages", "dimensions", "blend_weight"),
        *("digest", "fp32_digest", "reduced_range"),
    }
)


@dataclass(frozen=True)
class ModelFolder:
    """A model folder that was read and verified, at one of its precisions; `toml` describes that precision.

    `int8_digest` is the digest of the int8 model if this is the fp32 model beside it.
    """

    path: Path
    toml: OnnxToml
    file: str = "model.onnx"
    int8_digest: str = ""

    @property
    def onnx(self) -> Path:
        """The path of the graph."""
        return self.path / self.file

    @property
    def fp32(self) -> "ModelFolder | None":
        """The same model at fp32, if the folder holds it beside int8."""
        if not self.toml.fp32_digest:
            return None
        return ModelFolder(self.path, _at_fp32(self.toml, self.toml.fp32_digest), FP32_ONNX, self.toml.digest)

    @property
    def info(self) -> ModelInfo:
        """Information about the model that callers may see."""
        toml = self.toml
        return ModelInfo(
            name=toml.name,
            version=toml.version,
            kind=toml.kind,
            digest=toml.digest,
            precision=toml.precision,
            max_tokens=toml.max_tokens,
            aliases=toml.aliases,
            comparable_digests=tuple(filter(None, (toml.fp32_digest, self.int8_digest))),
            languages=toml.languages,
            blend_weight=toml.blend_weight,
            **toml.info_fields(),
        )


def read(folder: Path, *kinds: type[OnnxToml]) -> ModelFolder:
    """Reads model.toml, as one of `kinds` or else of all that training writes, and compares its digest with the files.

    Raises BadModelFolder with the reason.
    """
    require_files(folder, FILES)
    toml = read_toml(folder, *(kinds or TOMLS.values()))
    _compare(folder, "model.onnx", toml, toml.digest)
    if toml.fp32_digest or (folder / FP32_ONNX).is_file():
        if toml.precision == "fp32":
            raise BadModelFolder(folder, f"{FP32_ONNX} belongs beside an int8 model.onnx, and this one is fp32")
        if not (folder / FP32_ONNX).is_file():
            raise BadModelFolder(folder, f"{FP32_ONNX} is missing; fetch it, or take fp32_digest out of model.toml")
        _compare(folder, FP32_ONNX, _at_fp32(toml), toml.fp32_digest)
    return ModelFolder(folder, toml)


def kind_of(folder: Path) -> str:
    """Returns the kind in model.toml, whether or not such a kind exists; raises BadModelFolder if it cannot be read."""
    return str(_fields(folder).get("kind"))


def require_files(folder: Path, names: Sequence[str]) -> None:
    """Raises BadModelFolder with the name of the first missing file."""
    for name in names:
        if not (folder / name).is_file():
            raise BadModelFolder(folder, f"{name} is missing")


def read_toml(folder: Path, *kinds: type[Toml]) -> Toml:
    """Reads model.toml as the class of its kind; raises BadModelFolder with the reason."""
    fields = _fields(folder)
    by_name = {each.model_fields["kind"].default: each for each in kinds}
    toml = by_name.get(kind) if isinstance(kind := fields.get("kind"), str) else None
    if toml is None:
        raise BadModelFolder(folder, f"model.toml: kind is {kind!r}; it must be one of {', '.join(by_name)}")
    return validated(toml, fields, "model.toml", partial(BadModelFolder, folder))


def write_toml(folder: Path, toml: ModelToml) -> None:
    """Writes model.toml."""
    # JSON strings, numbers, booleans and arrays of strings are also valid TOML.
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in toml.model_dump(exclude_none=True).items()
    ]
    (folder / "model.toml").write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")


def _fields(folder: Path) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadModelFolder(folder, f"model.toml cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadModelFolder(folder, f"model.toml cannot be read: {error}") from error
    return fields


def _compare(folder: Path, file: str, toml: OnnxToml, expected: str) -> None:
    digest = digest_of(folder, toml, file)
    if digest != expected:
        raise BadModelFolder(
            folder,
            f"the files have digest {digest} but model.toml says {expected or 'nothing'} of {file}; fetch the model "
            "again, or write the new digest and a new version there if the change was meant",
        )


def write(folder: Path, toml: OnnxToml) -> ModelFolder:
    """Writes model.toml with the digests of the files that are already in `folder`."""
    both = (folder / FP32_ONNX).is_file()
    digests = {
        "digest": digest_of(folder, toml),
        "fp32_digest": digest_of(folder, _at_fp32(toml), FP32_ONNX) if both else "",
    }
    complete = toml.model_copy(update=digests)
    write_toml(folder, complete)
    return ModelFolder(folder, complete)


def digest_of(folder: Path, toml: OnnxToml, file: str = "model.onnx") -> str:
    """Returns the SHA-256 over the digests of the graph, the files with its weights and tokenizer.json, and the fields.

    Only fields that decide the output count, so a precision has the same digest whether or not another one is beside
    it. Raises BadModelFolder for weights that are missing or outside the folder.
    """
    whole = hashlib.sha256()
    for path in (folder / file, *external_files(folder / file), folder / "tokenizer.json"):
        whole.update(sha256(path))
    whole.update(json.dumps(toml.model_dump(exclude=set(NOT_IN_DIGEST)), sort_keys=True).encode())
    return whole.hexdigest()


def _at_fp32(toml: OnnxToml, digest: str = "") -> OnnxToml:
    return toml.model_copy(update={"precision": "fp32", "digest": digest, "fp32_digest": "", "reduced_range": False})


def sha256(path: Path) -> bytes:
    """Returns the SHA-256 of a file, which is read in parts."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
    return found.digest()
