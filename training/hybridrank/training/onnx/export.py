"""Exports a transformers model to a model folder of the sidecar: ONNX at int8 and fp32, tokenizer, golden pairs."""

import importlib
import inspect
import logging
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hybridrank.model_files import model_folder, self_test
from hybridrank.model_files.model_folder import FP32_ONNX, ModelFolder, OnnxToml
from hybridrank.model_files.self_test import GoldenPairs
from hybridrank.sidecar import in_process
from hybridrank.sidecar.in_process import INPUTS, OnnxSession, TextTokenizer, padded
from hybridrank.training.onnx.golden_pairs import reference

try:
    import onnx
    import torch

    from hybridrank.training.onnx import int8
    from hybridrank.training.onnx.checkpoint import Checkpoint, load_weights, open_checkpoint, write_tokenizer
    from hybridrank.training.onnx.families import registry
    from hybridrank.training.onnx.families.plan import Asked, Plan
    from hybridrank.training.onnx.fusion import export_fused
    from hybridrank.training.onnx.source_files import ExportFailed, first_line

    importlib.import_module("onnxscript")  # torch's exporter imports it
except ImportError as error:
    raise ImportError(f"exporting a model needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["ExportFailed", "export_model"]

log = logging.getLogger(__name__)

OPSET = 18
TOLERANCE = 1e-4  # between the original and its export, in logits or in the entries of a token row
SAMPLES = ("short", "A longer sentence, with numbers 1 2 3 and an émoji 😀.", "one two three four five " * 12)


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
) -> ModelFolder:
    """Exports a folder or hub name to the folder `out`, which must not contain a model yet.

    `families.registry` decides what it becomes: a reranker or an encoder; what its files say is heeded or refused.
    `kind` says what older SPLADE checkpoints do not. `max_tokens` is for models that can read longer texts than their
    files say, up to the number of their positions, `relevant_label` for classifiers with two labels. `template` names
    the prompt of a language model that was trained to rerank, whose own instruction and answers may be others than its
    publisher's. `languages` are the training languages, such as "en"; "*" means many. No code from the source is run.
    An int8 model must pass the self-test that is written with it: the order of the golden pairs, then the size of their
    scores. Raises ExportFailed.
    """
    if (out / "model.toml").exists():
        raise ExportFailed(f"{out} holds a model already; name another folder or remove it")
    if unknown := [each for each in languages if not re.fullmatch(model_folder.LANGUAGE, each)]:
        raise ExportFailed(f"{unknown[0]!r} is no code of a language, such as en; * says that there are many")
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
    )
    plan = registry.plan(checkpoint, asked)
    loaded = load_weights(checkpoint, plan.auto)
    read = inspect.signature(loaded.forward).parameters.keys() & set(checkpoint.tokenizer.model_input_names)
    names = [name for name in INPUTS if name in read]
    model, toml = plan.wrap(loaded).eval(), plan.toml
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_tokenizer(checkpoint.tokenizer, str(folder / "tokenizer.json"), lower_case=plan.lower_case)
        for extra, content in plan.files.items():
            (folder / extra).write_bytes(content)
        _write_fp32(folder, checkpoint, plan, model, names)
        model_folder.write(folder, toml)
        golden = reference(in_process.load_untested(folder, "fp32"))
        self_test.write(folder, golden)
        if precision != "fp32":
            toml = _tried_int8(folder, toml, golden)
        if precision == "int8":
            (folder / FP32_ONNX).unlink()
        model_folder.write(folder, toml)
        out.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            shutil.copyfile(file, out / file.name)
    return model_folder.read(out)


def _tried_int8(folder: Path, toml: OnnxToml, golden: Sequence[GoldenPairs]) -> OnnxToml:
    """Quantises to int8 if that ranks the golden pairs as fp32 does; warns about scores that moved."""
    toml, verdict = int8.tried(folder, toml, golden)
    if problem := verdict.problem():
        raise ExportFailed(f"int8 will not do for this model: {problem}; export it with --precision fp32")
    if verdict.remark:
        log.warning("%s at int8: %s", toml.name, verdict.remark)
    return toml


def _write_fp32(folder: Path, checkpoint: Checkpoint, plan: Plan, model: Any, names: list[str]) -> None:
    """Writes model.onnx, fused if the fused graph computes the same as the original."""
    path, output = folder / "model.onnx", plan.output
    with _refusals_of_torch(checkpoint):
        fused = export_fused(model, checkpoint.config, names, output, path)
    if fused and _difference(folder, plan, model, names) <= TOLERANCE:
        return
    with _refusals_of_torch(checkpoint):
        _export_graph(model, names, output, path)
    if not (difference := _difference(folder, plan, model, names)) <= TOLERANCE:
        raise ExportFailed(f"the exported model differs from the original by {difference:.2g}, over {TOLERANCE}")


@contextmanager
def _refusals_of_torch(checkpoint: Checkpoint) -> Iterator[None]:
    """Turns an error of torch's exporters, which have many classes, into ExportFailed."""
    try:
        yield
    except Exception as error:
        raise ExportFailed(
            f"torch cannot write {checkpoint.source}, a {checkpoint.config.model_type}, as ONNX: {first_line(error)}; "
            "BERT and its relatives can be exported"
        ) from error


def _export_graph(model: Any, names: list[str], output: str, path: Path) -> None:
    # A separate tensor for each input: the exporter treats one that is passed twice as one input.
    examples = {name: torch.ones((2, 8), dtype=torch.long) for name in names}
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own deprecations
        torch.onnx.export(
            model,
            (),
            str(path),
            kwargs=examples,
            input_names=names,
            output_names=[output],
            dynamic_shapes=dict.fromkeys(names, free),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    graph = onnx.load(str(path))
    del graph.graph.output[1:]  # an unneeded pooled vector
    for node in graph.graph.node:
        del node.metadata_props[:]  # stack traces with the paths of this machine
    onnx.save(graph, str(path))


def _difference(folder: Path, plan: Plan, model: Any, names: list[str]) -> float:
    """Returns the largest difference between the graph and the original, on batches of other shapes than in tracing."""
    output = plan.output
    tokenizer = TextTokenizer(folder / "tokenizer.json", plan.toml.max_tokens)
    session = OnnxSession(folder / "model.onnx", output, tokenizer.padding_id)
    differences = []
    for texts in (SAMPLES[:1], SAMPLES):
        sequences = tokenizer.singles(texts)
        inputs = padded(sequences, tokenizer.padding_id)
        with torch.inference_mode():
            wanted = model(**{name: torch.from_numpy(inputs[name]) for name in names})[output].numpy()
        found = session.run(sequences)
        real = np.arange(wanted.shape[1]) < np.array([[len(sequence)] for sequence in sequences])
        keep = real if wanted.ndim == 3 else np.ones(wanted.shape, dtype=bool)
        differences.append(float(np.abs(wanted - found)[keep].max()))
    return float(np.max(differences))  # NaN if one is NaN
