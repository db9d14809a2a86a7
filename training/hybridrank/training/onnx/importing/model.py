"""Writes the model folder of an ONNX file: checks, model.toml, golden pairs, and int8 on request."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from hybridrank.common.atomic import new_folder
from hybridrank.common.error_text import os_problem
from hybridrank.common.settings_file import validated
from hybridrank.model_files import model_folder, self_test
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import CrossEncoderToml, EncoderToml, ModelFolder, OnnxToml
from hybridrank.sidecar import in_process
from hybridrank.training.onnx import int8
from hybridrank.training.onnx.golden_pairs import reference
from hybridrank.training.onnx.importing import graph, layout, trial
from hybridrank.training.onnx.importing.errors import ImportRefused
from hybridrank.training.onnx.importing.settings import (
    chosen_length,
    encoder_fields,
    lower_case,
    require_beginning,
    require_width,
)
from hybridrank.training.onnx.importing.settings_files import read_settings_files
from hybridrank.training.onnx.importing.source import Source, open_source
from hybridrank.training.onnx.importing.weights import weight_files

__all__ = ["heads_of", "import_model"]

log = logging.getLogger(__name__)

HEADS = {
    "encoder": graph.Heads("last_hidden_state", ("last_hidden_state", "token_embeddings"), 3),
    "cross-encoder": graph.Heads("logits", ("logits",), 2),
}
POOLED = graph.Heads(in_process.SENTENCE_VECTORS, (in_process.SENTENCE_VECTORS,), 2)


def heads_of(kind: str, pooling: str | None) -> graph.Heads:
    """Returns the outputs that a graph of this kind may have."""
    return POOLED if pooling == "graph" else HEADS[kind]


def import_model(
    path: Path,
    out: Path,
    *,
    kind: Literal["encoder", "cross-encoder"],
    sha256: str | None = None,
    file: str | None = None,
    output: str | None = None,
    name: str | None = None,
    licence: str = "unknown",
    languages: Sequence[str] = (),
    pooling: str | None = None,
    query_prefix: str | None = None,
    document_prefix: str | None = None,
    tokens: int | None = None,
    quantized: bool = False,
) -> ModelFolder:
    """Imports a folder, jar or zip with an ONNX file and its tokenizer to the folder `out`, which must not exist.

    A jar or zip must have the `sha256`, if given; `file` chooses among several ONNX files in the source, and `output`
    among the outputs of the graph, if it has an unknown name. Settings that are None come from the files beside it. No
    code from the source is run. `quantized` also writes int8, which must pass the self-test. `out` appears complete or
    not at all. Raises ImportRefused, and OSError if `out` cannot be made or another process writes it.
    """
    if out.exists():
        raise ImportRefused(f"{out} is there already; name another folder or remove it")
    if unknown := [each for each in languages if not re.fullmatch(model_folder.LANGUAGE, each)]:
        raise ImportRefused(f"{unknown[0]!r} is no code of a language, such as en; * says that there are many")
    if kind != "encoder" and (pooling, query_prefix, document_prefix) != (None, None, None):
        raise ImportRefused(f"pooling and prefixes are those of an encoder, and this is to be a {kind}")
    with open_source(path, sha256) as source, new_folder(out) as draft, _about(f"{source.name}: ", draft):
        chosen = layout.graph_path(source.sizes, file)
        tokenizer = layout.tokenizer_path(source.sizes, chosen)
        source.copy(tokenizer, draft / "tokenizer.json")
        files = read_settings_files(source, chosen, tokenizer)
        require_beginning(files)
        if isinstance(lowers := lower_case(files), bool):
            trial.check_case(draft / "tokenizer.json", lowers=lowers)
        length = chosen_length(files, tokens)
        if tokens is None:
            log.info("%s %s", name or _name(path), length)
        described: dict[str, Any] = {
            "name": name or _name(path),
            "version": "1",
            "precision": "fp32",
            "max_tokens": length.tokens,
            "licence": licence,
            "languages": tuple(languages),
        }
        prompts = {"query_prefix": query_prefix, "document_prefix": document_prefix}
        fields = encoder_fields(files, pooling=pooling, **prompts) if kind == "encoder" else {}
        heads = heads_of(kind, fields.get("pooling"))
        with _about(f"{chosen} ", draft):
            _write_graph(source, chosen, draft, heads, output)
        last = trial.columns(draft, heads.served, described["max_tokens"], pairs=kind != "encoder")
        if kind == "encoder":
            if heads is not POOLED:
                require_width(files, last)
            if fields["pooling"] == "last" and files.tokenizer_config.add_eos_token:
                trial.check_end(draft / "tokenizer.json")
            trial.check_prefixes(draft / "tokenizer.json", described["max_tokens"], fields)
        toml = _toml(kind, {**described, **fields}, last)
        _write(draft, toml, quantized=quantized)
    return model_folder.read(out)


def _write_graph(source: Source, chosen: str, draft: Path, heads: graph.Heads, asked: str | None) -> None:
    """Copies the graph and the files with its weights; a graph whose output has another name, or not alone, changes."""
    onnx = draft / "model.onnx"
    source.copy(chosen, onnx)
    model = graph.parsed(onnx.read_bytes())
    output = graph.checked(model, heads, asked)
    for name in weight_files(model):
        path = (PurePosixPath(chosen).parent / name).as_posix()
        if path not in source.sizes:
            raise ImportRefused(f"keeps weights in {name}, which is not beside it")
        source.copy(path, draft / name)
    if graph.with_output(model, output, heads.served):
        onnx.write_bytes(model.SerializeToString())


def _name(path: Path) -> str:
    """Returns the name of a folder, or of a file without its ending: a version may follow a dot in both."""
    whole = path.resolve()
    return whole.name if whole.is_dir() else whole.stem


def _toml(kind: str, fields: dict[str, Any], last: int) -> OnnxToml:
    """Returns model.toml; `last` is the size of the output's last dimension."""
    if kind == "encoder":
        return validated(EncoderToml, {**fields, "dimensions": last}, "model.toml", ImportRefused)
    if last != 1:
        raise ImportRefused(
            f"its logits have {last} columns; the sidecar serves a head of one, whose number grows with relevance"
        )
    return validated(CrossEncoderToml, fields, "model.toml", ImportRefused)


def _write(draft: Path, toml: OnnxToml, *, quantized: bool) -> None:
    model_folder.write(draft, toml)
    golden = reference(in_process.load_untested(draft, "fp32"))
    self_test.write(draft, golden)
    if not quantized:
        return
    toml, verdict = int8.tried(draft, toml, golden)
    if problem := verdict.problem():
        raise ImportRefused(f"int8 will not do for this model: {problem}; leave --quantize out")
    if verdict.remark:
        log.warning("%s at int8: %s", toml.name, verdict.remark)


@contextmanager
def _about(subject: str, draft: Path) -> Iterator[None]:
    """Puts `subject` before a refusal, in place of the draft's path; a full disk is one too."""
    try:
        yield
    except OSError as error:
        raise ImportRefused(f"{subject}{os_problem(error)}; no folder was written") from error
    except (ImportRefused, BadModelFolder) as error:
        raise ImportRefused(subject + str(error).replace(f"{draft}: ", "").replace(f"{draft}/", "")) from error
