"""Tiny ONNX models as others lay them out: in the hub's folders, in a zip or jar, and with one thing wrong."""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hybridrank.training.onnx.importing.graph import parsed
from tests.golden.sidecar import FOLDER

TINY = {"encoder": FOLDER / "tiny-encoder", "cross-encoder": FOLDER / "tiny-cross-encoder"}
SETTINGS = {
    "config.json": {"model_type": "bert", "max_position_embeddings": 48},
    "tokenizer_config.json": {"model_max_length": 1000000000000000019884624838656},
    "1_Pooling/config.json": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
}


def files(kind: str = "encoder", **also: Any) -> dict[str, bytes]:
    """The hub's layout with `onnx/model.onnx`; `also` has further JSON files, whose names use __ for /, or None."""
    tiny = TINY[kind]
    settings = {
        **SETTINGS,
        **{f"{name.replace('__', '/')}.json": value for name, value in also.items()},
    }
    written = {name: json.dumps(value).encode() for name, value in settings.items() if value is not None}
    return {
        "onnx/model.onnx": (tiny / "model.onnx").read_bytes(),
        "tokenizer.json": (tiny / "tokenizer.json").read_bytes(),
        **written,
    }


def changed(kind: str, change: Callable[[Any], object]) -> bytes:
    """The tiny graph after `change`."""
    model = parsed((TINY[kind] / "model.onnx").read_bytes())
    change(model)
    return bytes(model.SerializeToString())


def folder(path: Path, content: Mapping[str, bytes]) -> Path:
    """Writes the files below `path`."""
    for name, each in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(each)
    return path


def archive(path: Path, content: Mapping[str, bytes]) -> Path:
    """Writes the files as a zip, which a jar is too."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name, each in content.items():
            written.writestr(name, each)
    return path
