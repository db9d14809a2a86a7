"""Opens a checkpoint: its configuration, its tokenizer, and the modules that sentence-transformers runs it with.

No code from a checkpoint is run; one that needs its own code is refused.
"""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import torch
import transformers
from tokenizers.normalizers import Lowercase
from tokenizers.normalizers import Sequence as InTurn

from hybridrank.training.onnx.sources.foreign import require_checkpoint, require_plain_weights, require_text_only
from hybridrank.training.onnx.sources.source_files import ExportFailed, first_line, saved_json, saved_path

__all__ = ["Checkpoint", "Module", "load_weights", "open_checkpoint", "write_tokenizer"]

VOCABULARIES = (
    *("tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "spm.model"),
    *("tokenizer.model", "sentencepiece.model"),
)
REMOTE_CODE = "it needs remote code, which an export never runs: take a model of one of transformers' own architectures"
ROUTES = "router_config.json"
WEIGHTS_OF_TOKENS = "SparseStaticEmbedding"
ADD_ENDS = ("CodeLlamaTokenizer", "CohereTokenizer", "GemmaTokenizer", "LlamaTokenizer")
SAMPLE = "the number 1 and 2"
NUMBER = re.compile(r"\d+")
OWN_PACKAGES = ("sentence_transformers", "pylate")


@dataclass(frozen=True)
class Module:
    """A module of modules.json: the name of its class, that of its package, and its folder."""

    kind: str
    package: str
    path: str


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint before its weights are read. transformers' files are in `folder`, "" for the top of the source.

    `query_modules` compute queries, where those have modules of their own.
    """

    source: str
    folder: str
    config: Any
    tokenizer: Any
    modules: tuple[Module, ...]
    query_modules: tuple[Module, ...] = ()

    @property
    def one_stack(self) -> bool:
        """False for an encoder-decoder, such as T5."""
        return not getattr(self.config, "is_encoder_decoder", False)

    @property
    def heads(self) -> tuple[str, ...]:
        """The classes of transformers that the weights were saved from."""
        return tuple(self.config.architectures or ())

    def ends_in(self, *ends: str) -> bool:
        """True if the name of a head has one of these ends."""
        return any(head.endswith(ends) for head in self.heads)

    def json(self, name: str) -> Any:
        """Returns a JSON file at the top of the source; an empty dict if there is none."""
        return saved_json(self.source, name)


def open_checkpoint(source: str) -> Checkpoint:
    """Reads what decides the family of a checkpoint; raises ExportFailed with one sentence if it cannot be read."""
    require_checkpoint(source)
    modules, query_modules = _routes(source, _modules(source))
    first = next((each for each in modules if each.kind.endswith("Transformer")), None)
    folder = first.path if first else ""
    within = f"{folder}/" if folder else ""
    _require_no_remote_code(source, within, (*modules, *query_modules))
    require_plain_weights(source, _described(source, f"{within}config.json"))
    if not any(saved_path(source, within + name) for name in VOCABULARIES):  # transformers would make up a vocabulary
        raise ExportFailed(f"{source} has no tokenizer: none of {', '.join(within + name for name in VOCABULARIES)}")
    try:
        config = transformers.AutoConfig.from_pretrained(source, subfolder=folder, trust_remote_code=False)
    except Exception as error:  # of many classes
        raise ExportFailed(f"config.json of {source} is none that transformers knows: {first_line(error)}") from error
    require_text_only(source, config)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, subfolder=folder, trust_remote_code=False)
    except Exception as error:  # of many classes
        raise ExportFailed(
            f"the tokenizer of {source} cannot be read: {first_line(error)}; a tokenizer.json beside it needs no "
            "other package"
        ) from error
    if not tokenizer.is_fast:
        raise ExportFailed(f"{source} has no tokenizer.json and none can be made from its files")
    _heed_ends(tokenizer, saved_json(source, within + "tokenizer_config.json"))
    _require_words(source, tokenizer, config)
    if tokenizer.truncation_side != "right":
        raise ExportFailed(
            f"{source} keeps the end of a long text (truncation_side in tokenizer_config.json); the sidecar keeps its "
            "beginning"
        )
    return Checkpoint(source, folder, config, tokenizer, modules, query_modules)


def write_tokenizer(tokenizer: Any, path: str, *, lower_case: bool) -> None:
    """Writes tokenizer.json without a length; with `lower_case` it first lowers texts, as sentence-transformers."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    if lower_case:
        backend.normalizer = InTurn([Lowercase(), *([backend.normalizer] if backend.normalizer else [])])
    backend.save(path)


def load_weights(checkpoint: Checkpoint, auto: Any) -> Any:
    """Returns the model of the class `auto` in fp32; raises ExportFailed if weights are missing or cannot be read."""
    source = checkpoint.source
    try:
        model, report = auto.from_pretrained(
            source,
            subfolder=checkpoint.folder,
            dtype=torch.float32,
            attn_implementation="eager",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
        )
    except Exception as error:  # of many classes
        if "weights_only" in str(error):
            raise ExportFailed(
                f"the weights of {source} hold more than tensors, which an export never loads; take safetensors"
            ) from error
        raise ExportFailed(f"the weights of {source} cannot be read: {first_line(error)}") from error
    if mismatched := sorted(report["mismatched_keys"]):
        name, found, wanted = mismatched[0]
        raise ExportFailed(
            f"{source} has weights of {len(mismatched)} other shapes than its config.json says, as {name}: "
            f"{tuple(found)} in place of {tuple(wanted)}"
        )
    if missing := [key for key in sorted(report["missing_keys"]) if not key.startswith("pooler.")]:
        raise ExportFailed(f"{source} has no weights for {_few(missing)}")
    if left := _of_further_layers(report["unexpected_keys"], model.state_dict()):
        raise ExportFailed(f"{source} has weights of more layers than its config.json says: {_few(left)}")
    if endless := [name for name, weight in model.named_parameters() if not torch.isfinite(weight).all()]:
        raise ExportFailed(f"{source} has weights that are no finite numbers, in {_few(endless)}")
    if "input_ids" not in inspect.signature(model.forward).parameters:
        raise ExportFailed(f"{source}, a {checkpoint.config.model_type}, reads no text")
    if not checkpoint.heads and not checkpoint.modules:
        unread = sorted(key for key in report["unexpected_keys"] if not key.endswith("position_ids"))
        if unread:
            raise ExportFailed(
                f"config.json of {source} names no architectures, and an encoder would not read its weights "
                f"{_few(unread)}"
            )
    return model.eval()


def _of_further_layers(left: Iterable[str], read: Iterable[str]) -> list[str]:
    """Returns the names of `left` that differ from one of `read` by a number alone, such as that of a layer."""
    of_any_layer = {NUMBER.sub("*", name) for name in read}
    return sorted(name for name in left if NUMBER.search(name) and NUMBER.sub("*", name) in of_any_layer)


def _heed_ends(tokenizer: Any, said: Mapping[str, Any]) -> None:
    """Adds the first and last tokens that tokenizer_config.json says, as transformers 4 did, whose files alone say so.

    transformers 5 leaves that to tokenizer.json, which need not know of it.
    """
    if str(said.get("tokenizer_class")).removesuffix("Fast") not in ADD_ENDS:
        return
    for name in ("add_bos_token", "add_eos_token"):
        if isinstance(said.get(name), bool):
            setattr(tokenizer, name, said[name])


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + " and others" * (len(names) > 3)


def _modules(source: str) -> tuple[Module, ...]:
    try:
        return tuple(_module(each["type"], each.get("path")) for each in saved_json(source, "modules.json") or ())
    except (AttributeError, KeyError, TypeError) as error:
        raise ExportFailed(f"modules.json of {source} is no list of modules with their types") from error


def _routes(source: str, modules: tuple[Module, ...]) -> tuple[tuple[Module, ...], tuple[Module, ...]]:
    """Returns the modules of documents, and those of queries where a Router gives them only weights of their tokens.

    Raises ExportFailed for a Router with other routes.
    """
    if [each.kind for each in modules] != ["Router"]:
        return modules, ()
    said = saved_json(source, f"{modules[0].path}/{ROUTES}" if modules[0].path else ROUTES)
    try:
        routes = {
            name: tuple(_module(said["types"][path], path) for path in paths)
            for name, paths in said["structure"].items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise ExportFailed(f"{ROUTES} of {source} has no routes of modules with their types") from error
    if routes.keys() != {"query", "document"} or [each.kind for each in routes["query"]] != [WEIGHTS_OF_TOKENS]:
        listed = "; ".join(f"{name} by {', '.join(each.kind for each in found)}" for name, found in routes.items())
        raise ExportFailed(
            f"{source} has a Router ({ROUTES}) that computes {listed}; the sidecar computes both by one model, or only "
            f"documents, and queries by a {WEIGHTS_OF_TOKENS}"
        )
    return routes["document"], routes["query"]


def _module(name: str, path: str | None) -> Module:
    return Module(name.rpartition(".")[2], name.partition(".")[0], path or "")


def _described(source: str, name: str) -> dict[str, Any]:
    """Returns config.json, in which transformers checks the rest."""
    said = saved_json(source, name)
    if not isinstance(said, dict):
        raise ExportFailed(f"{name} of {source} is no JSON object")
    if not isinstance(said.get("architectures") or [], list):
        raise ExportFailed(f"architectures in {name} of {source} is no list")
    return said


def _require_words(source: str, tokenizer: Any, config: Any) -> None:
    """Raises ExportFailed for a vocabulary that is not the model's: transformers makes one up if it finds none."""
    ids = tokenizer(SAMPLE, add_special_tokens=False)["input_ids"]
    if not any(each != tokenizer.unk_token_id for each in ids):
        raise ExportFailed(f"the tokenizer of {source} knows no word of {SAMPLE!r}: is its vocabulary among the files?")
    known, read = max(tokenizer.get_vocab().values()) + 1, getattr(config, "vocab_size", None)
    if read and known > read:
        raise ExportFailed(f"the tokenizer of {source} has {known} tokens, and its model only {read} (vocab_size)")


def _require_no_remote_code(source: str, within: str, modules: Sequence[Module]) -> None:
    for each in modules:
        if each.package not in OWN_PACKAGES:
            raise ExportFailed(f"modules.json of {source} names {each.package}.{each.kind}; {REMOTE_CODE}")
    for name in ("config.json", "tokenizer_config.json"):
        said = saved_json(source, within + name)
        if said == {} and name == "config.json":
            raise ExportFailed(f"{source} has no {within}{name}")
        if isinstance(said, dict) and said.get("auto_map"):
            raise ExportFailed(f"{source} has an auto_map in {PurePosixPath(within + name)}; {REMOTE_CODE}")
