"""Exports a transformers model to a model folder of the sidecar: ONNX at int8 and fp32, tokenizer, golden pairs."""

import gc
import importlib
import logging
import math
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from hybridrank.common.error_text import wrong_values
from hybridrank.model_files import model_folder, self_test
from hybridrank.model_files.model_folder import FP32_ONNX, ModelFolder, OnnxToml
from hybridrank.model_files.self_test import GoldenPairs
from hybridrank.sidecar import in_process
from hybridrank.sidecar.in_process import OnnxSession, TextTokenizer
from hybridrank.training.onnx.golden_pairs import reference

try:
    from hybridrank.training.onnx import fusion, graph_file, int8, original, unfused
    from hybridrank.training.onnx.families import registry
    from hybridrank.training.onnx.families.plan import Asked, Plan
    from hybridrank.training.onnx.original import Original
    from hybridrank.training.onnx.sources.checkpoint import Checkpoint, open_checkpoint, write_tokenizer
    from hybridrank.training.onnx.sources.source_files import ExportFailed, first_line

    importlib.import_module("onnxscript")  # torch's exporter imports it
except ImportError as error:
    raise ImportError(f"exporting a model needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["ExportFailed", "export_model"]

log = logging.getLogger(__name__)

TOLERANCE = 1e-4  # between the original and its export, in logits or in the entries of a token row


def export_model(
    source: str,
    out: Path,
    *,
    name: str | None = None,
    licence: str = "unknown",
    precision: Literal["both", "int8", "fp32"] = "both",
    max_tokens: int | None = None,
    languages: Sequence[str] = (),
    relevant_label: str | None = None,
    kind: Literal["splade"] | None = None,
    template: str | None = None,
    instruction: str | None = None,
    answers: Sequence[str] = (),
    query_prefix: str | None = None,
    document_prefix: str | None = None,
) -> ModelFolder:
    """Exports a folder or hub name to the folder `out`, which must not contain a model yet.

    `families.registry` decides what it becomes: a reranker or an encoder; what its files say is heeded or refused.
    `kind` says what older SPLADE checkpoints do not. `max_tokens` is for models that can read longer texts than their
    files say, up to the number of their positions, `relevant_label` for classifiers with two labels. `template` names
    the prompt of a language model that was trained to rerank, whose own instruction and answers may be others than its
    publisher's. The prefixes of an encoder's texts replace those in its files. `languages` are the training languages,
    such as "en"; "*" means many. No code from the source is run.
    An int8 model must pass the self-test that is written with it: the order of the golden pairs, then the size of their
    scores. Raises ExportFailed.
    """
    if (out / "model.toml").exists():
        raise ExportFailed(f"{out} holds a model already; name another folder or remove it")
    if unknown := [each for each in languages if not re.fullmatch(model_folder.LANGUAGE, each)]:
        raise ExportFailed(f"{unknown[0]!r} is no code of a language, such as en; * says that there are many")
    with _refused_files(source):
        checkpoint = open_checkpoint(source)
    asked = Asked(
        name=name or Path(source).name,
        licence=licence,
        languages=tuple(languages),
        max_tokens=max_tokens,
        relevant_label=relevant_label,
        kind=kind,
        template=template,
        instruction=instruction,
        answers=tuple(answers),
        query_prefix=query_prefix,
        document_prefix=document_prefix,
    )
    with _refused_files(source):
        plan = registry.plan(checkpoint, asked)
    toml = plan.toml
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        folder = Path(temporary)
        write_tokenizer(checkpoint.tokenizer, str(folder / "tokenizer.json"), lower_case=plan.lower_case)
        for extra, content in plan.files.items():
            (folder / extra).write_bytes(content)
        _write_fp32(folder, checkpoint, plan)
        model_folder.write(folder, toml)
        golden = reference(in_process.load_untested(folder, "fp32"))
        if all(len(set(each.relevance_scores)) == 1 for each in golden):
            raise ExportFailed(f"{source} gives all passages the same score")
        self_test.write(folder, golden)
        if precision != "fp32":
            toml = _tried_int8(folder, toml, golden)
        if precision == "int8":
            graph_file.remove(folder / FP32_ONNX)
        model_folder.write(folder, toml)
        out.mkdir(exist_ok=True)
        for file in sorted(folder.iterdir(), key=lambda each: each.name == "model.toml"):  # by which it is found
            file.replace(out / file.name)
    return model_folder.read(out)


def _tried_int8(folder: Path, toml: OnnxToml, golden: Sequence[GoldenPairs]) -> OnnxToml:
    """Quantises to int8 if that ranks the golden pairs as fp32 does; warns about scores that moved."""
    toml, verdict = int8.tried(folder, toml, golden)
    if problem := verdict.problem():
        raise ExportFailed(f"int8 will not do for this model: {problem}; export it with --precision fp32")
    if verdict.remark:
        log.warning("%s at int8: %s", toml.name, verdict.remark)
    return toml


def _write_fp32(folder: Path, checkpoint: Checkpoint, plan: Plan) -> None:
    """Writes model.onnx, fused if the fused graph computes the same as the original."""
    moved = math.inf
    for way in (fusion, unfused) if checkpoint.config.model_type in fusion.FAMILIES else (unfused,):
        tokenizer = TextTokenizer(folder / "tokenizer.json", plan.toml.max_tokens)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            traced = Path(scratch) / "traced.onnx"
            wanted = _traced(checkpoint, plan, way.trace, tokenizer, traced)
            gc.collect()  # the weights, before others are read
            with _refusals_of_torch(checkpoint):
                written = way.finish(traced, checkpoint.config, folder / "model.onnx")
        gc.collect()  # the graph, whose optimiser refers to itself
        if written:
            session = OnnxSession(folder / "model.onnx", plan.output, tokenizer.padding_id)
            moved = original.difference(session, tokenizer, wanted)
        if moved <= TOLERANCE:
            return
    raise ExportFailed(f"the exported model differs from the original by {moved:.2g}, over {TOLERANCE}")


def _traced(
    checkpoint: Checkpoint, plan: Plan, trace: Callable[[Original, Path], None], tokenizer: TextTokenizer, path: Path
) -> Sequence[Any]:
    """Traces the original to `path` and returns its outputs; its weights are in memory only during this call."""
    loaded = original.load(checkpoint, plan)
    wanted = loaded.outputs(tokenizer)
    with _refusals_of_torch(checkpoint):
        trace(loaded, path)
    return wanted


@contextmanager
def _refused_files(source: str) -> Iterator[None]:
    """Turns errors of values that no library would write into a file, such as a number as text, into ExportFailed."""
    try:
        yield
    except (AttributeError, TypeError, KeyError, IndexError, ValueError) as error:
        problem = wrong_values(error.errors()) if isinstance(error, ValidationError) else first_line(error)
        raise ExportFailed(f"{source} cannot be exported as asked, or as its files say: {problem}") from error


@contextmanager
def _refusals_of_torch(checkpoint: Checkpoint) -> Iterator[None]:
    """Turns an error of torch's exporters, which have many classes, into ExportFailed."""
    try:
        yield
    except OSError:  # a full disk, say
        raise
    except Exception as error:
        raise ExportFailed(
            f"torch cannot write {checkpoint.source}, a {checkpoint.config.model_type}, as ONNX: {first_line(error)}; "
            "`hybridrank model families` lists those that can be"
        ) from error
