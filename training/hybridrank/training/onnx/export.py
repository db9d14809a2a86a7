"""Exports a transformers model to a model folder of the sidecar: ONNX at int8 and fp32, tokenizer, golden pairs."""

import importlib
import inspect
import json
import logging
import re
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hybridrank.model_files import model_folder, self_test
from hybridrank.model_files.model_folder import (
    FP32_ONNX,
    ColbertToml,
    CrossEncoderToml,
    EncoderToml,
    ModelFolder,
    OnnxToml,
)
from hybridrank.model_files.self_test import GoldenPairs
from hybridrank.sidecar import in_process
from hybridrank.sidecar.in_process import INPUTS, TOKEN_VECTORS, OnnxSession, TextTokenizer, padded
from hybridrank.training.onnx.golden_pairs import reference

try:
    import onnx
    import torch
    import transformers

    from hybridrank.training.onnx import colbert_checkpoints, int8
    from hybridrank.training.onnx.fusion import export_fused
    from hybridrank.training.onnx.source_files import ExportFailed, saved_json

    importlib.import_module("onnxscript")  # torch's exporter imports it
except ImportError as error:
    raise ImportError(f"exporting a model needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["ExportFailed", "export_model"]

log = logging.getLogger(__name__)

OPSET = 18
TOLERANCE = 1e-4  # between the original and its export, in logits or in the entries of a token row
LENGTHS = ("query_length", "max_tokens")
SAMPLES = ("short", "A longer sentence, with numbers 1 2 3 and an émoji 😀.", "one two three four five " * 12)
POOLING_FLAGS = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token"}
KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")


def export_model(
    source: str,
    out: Path,
    *,
    name: str | None = None,
    licence: str = "unknown",
    precision: Literal["both", "int8", "fp32"] = "both",
    max_tokens: int | None = None,
    languages: Sequence[str] = (),
) -> ModelFolder:
    """Exports a folder or hub name to the folder `out`, which must not contain a model yet.

    A sequence classifier with one label becomes a cross-encoder, a checkpoint of colbert-ai or PyLate a ColBERT
    reranker, anything else an encoder whose pooling, prefixes and length come from the sentence-transformers files
    beside it (mean pooling without them). `max_tokens` is for models that can read longer texts than their files say,
    up to the number of their positions. `languages` are the training languages, such as "en"; "*" means many. No code
    from the source is run. An int8 model must pass the self-test that is written with it: the order of the golden
    pairs, then the size of their scores. Raises ExportFailed.
    """
    if (out / "model.toml").exists():
        raise ExportFailed(f"{out} holds a model already; name another folder or remove it")
    if unknown := [each for each in languages if not re.fullmatch(model_folder.LANGUAGE, each)]:
        raise ExportFailed(f"{unknown[0]!r} is no code of a language, such as en; * says that there are many")
    config = transformers.AutoConfig.from_pretrained(source)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    if not tokenizer.is_fast:
        raise ExportFailed(f"{source} has no tokenizer.json and none can be made from its files")
    described = {
        "name": name or Path(source).name,
        "version": "1",
        "precision": "fp32",
        "max_tokens": _max_tokens(source, config, tokenizer, max_tokens),
        "licence": licence,
        "languages": tuple(languages),
    }
    toml: OnnxToml
    loaded, output, checkpoint = transformers.AutoModel, "last_hidden_state", None
    if checkpoint := colbert_checkpoints.read(source, config, tokenizer):
        output = TOKEN_VECTORS
        lengths = {key: min(checkpoint.fields[key], _positions(config) or checkpoint.fields[key]) for key in LENGTHS}
        lengths["max_tokens"] = max_tokens or lengths["max_tokens"]
        toml = ColbertToml.model_validate({**described, **checkpoint.fields, **lengths})
    elif any(architecture.endswith("ForSequenceClassification") for architecture in config.architectures or ()):
        if config.num_labels != 1:
            raise ExportFailed(f"{source} has {config.num_labels} labels; a reranker has one")
        loaded, output = transformers.AutoModelForSequenceClassification, "logits"
        toml = CrossEncoderToml.model_validate(described)
    else:
        toml = EncoderToml.model_validate({**described, **_encoder_fields(source), "dimensions": config.hidden_size})
    model, report = loaded.from_pretrained(
        source, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    if missing := [key for key in sorted(report["missing_keys"]) if not key.startswith("pooler.")]:
        raise ExportFailed(f"{source} has no weights for {', '.join(missing[:3])}{' and others' * (len(missing) > 3)}")
    read = inspect.signature(model.forward).parameters.keys() & set(tokenizer.model_input_names)
    names = [name for name in INPUTS if name in read]
    if checkpoint:
        model = colbert_checkpoints.TokenVectors(model, checkpoint.projection)
    model.eval()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        backend = tokenizer.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        backend.save(str(folder / "tokenizer.json"))
        _write_fp32(folder, toml, model, config, names, output)
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


def _write_fp32(folder: Path, toml: OnnxToml, model: Any, config: Any, names: list[str], output: str) -> None:
    """Writes model.onnx, fused if the fused graph computes the same as the original."""
    path = folder / "model.onnx"
    if (
        export_fused(model, config, names, output, path)
        and _difference(folder, toml, model, names, output) <= TOLERANCE
    ):
        return
    _export_graph(model, names, output, path)
    if not (difference := _difference(folder, toml, model, names, output)) <= TOLERANCE:
        raise ExportFailed(f"the exported model differs from the original by {difference:.2g}, over {TOLERANCE}")


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


def _difference(folder: Path, toml: OnnxToml, model: Any, names: list[str], output: str) -> float:
    """Returns the largest difference between the graph and the original, on batches of other shapes than in tracing."""
    tokenizer = TextTokenizer(folder / "tokenizer.json", toml.max_tokens)
    session = OnnxSession(folder / "model.onnx", output, tokenizer.padding_id)
    differences = []
    for texts in (SAMPLES[:1], SAMPLES):
        sequences = tokenizer.singles(texts)
        inputs = padded(sequences, tokenizer.padding_id)
        with torch.inference_mode():
            wanted = model(**{name: torch.from_numpy(inputs[name]) for name in names})[output].numpy()
        found = session.run(sequences)
        real = np.arange(wanted.shape[1]) < np.array([[len(sequence)] for sequence in sequences])
        keep = np.ones(wanted.shape, dtype=bool) if output == "logits" else real
        differences.append(float(np.abs(wanted - found)[keep].max()))
    return float(np.max(differences))  # NaN if one is NaN


def _max_tokens(source: str, config: Any, tokenizer: Any, asked: int | None = None) -> int:
    """Returns `asked`, else the smallest limit of the tokenizer, the positions and sentence-transformers."""
    positions = _positions(config)
    if asked is not None:
        if not 8 <= asked <= (positions or asked):
            raise ExportFailed(f"{source} cannot read {asked} tokens; it reads 8 to {positions or 'any number'}")
        return asked
    sentence = saved_json(source, "sentence_bert_config.json").get("max_seq_length")
    return int(min(filter(None, (tokenizer.model_max_length, positions, sentence))))


def _positions(config: Any) -> int | None:
    """Returns the number of token positions that the model distinguishes, None if not bounded."""
    positions: int | None = getattr(config, "max_position_embeddings", None)
    if positions and "roberta" in config.model_type:  # its positions start after the padding id
        positions -= config.pad_token_id + 1
    return positions


def _encoder_fields(source: str) -> dict[str, str]:
    modules = saved_json(source, "modules.json") or []
    for module in modules:
        kind = module["type"].rsplit(".", 1)[-1]
        if kind not in KNOWN_MODULES:
            raise ExportFailed(f"{source} has a {kind} module; known are {', '.join(KNOWN_MODULES)}")
    flags = saved_json(source, "1_Pooling/config.json")
    chosen = [
        pooling for pooling, flag in POOLING_FLAGS.items() if flags.get(flag) or flags.get("pooling_mode") == pooling
    ]
    if flags and len(chosen) != 1:
        raise ExportFailed(f"{source} pools in a way that the sidecar does not: {json.dumps(flags)}")
    prompts = saved_json(source, "config_sentence_transformers.json").get("prompts") or {}
    return {
        "pooling": chosen[0] if chosen else "mean",
        "query_prefix": prompts.get("query") or "",
        "document_prefix": prompts.get("document") or prompts.get("passage") or "",
    }
