"""Sources that are no checkpoint of transformers: each is refused by its nature, and the way out is named."""

from pathlib import Path
from typing import Any

from huggingface_hub.errors import LocalEntryNotFoundError
from transformers.utils import cached_file

from hybridrank.training.onnx.sources.source_files import ExportFailed, first_line, saved_json, saved_path

__all__ = ["require_checkpoint", "require_plain_weights", "require_text_only"]

GGUF = "is in the format GGUF, which is not read: take the checkpoint that it was made from"
ONNX = "holds an ONNX file and no weights of transformers: `hybridrank model import` takes it"
WEIGHTS = ("*.safetensors", "*.bin", "*.h5", "*.msgpack")
OTHER_INPUTS = ("vision_config", "audio_config")


def require_checkpoint(source: str) -> None:
    """Raises ExportFailed for an adapter, another format, a path without a folder, and a hub that cannot be reached."""
    path = Path(source)
    if not source or not path.is_dir():
        _require_hub_name(source, path)
    elif not any(path.iterdir()):
        raise ExportFailed(f"{source} is an empty folder")
    elif not any(path.rglob("*.safetensors")) and not any(path.rglob("*.bin")):
        if any(path.glob("*.gguf")):
            raise ExportFailed(f"{source} {GGUF}")
        if any(path.rglob("*.onnx")):
            raise ExportFailed(f"{source} {ONNX}")
    if saved_path(source, "adapter_config.json"):
        said = saved_json(source, "adapter_config.json")
        base = said.get("base_model_name_or_path", "its base model") if isinstance(said, dict) else "its base model"
        raise ExportFailed(
            f"{source} is an adapter (adapter_config.json) and no whole model: merge it into {base} with peft's "
            "merge_and_unload, and export that"
        )


def require_plain_weights(source: str, config: dict[str, Any]) -> None:
    """Raises ExportFailed for weights that are quantised already."""
    if said := config.get("quantization_config"):
        method = said.get("quant_method", "of an unnamed method") if isinstance(said, dict) else said
        raise ExportFailed(
            f"{source} is quantised already ({method}, quantization_config in config.json): take the checkpoint that "
            "it was made from; the export makes int8 itself"
        )


def require_text_only(source: str, config: Any) -> None:
    """Raises ExportFailed for a model of transformers that reads more than texts."""
    if found := next((name for name in OTHER_INPUTS if hasattr(config, name)), None):
        raise ExportFailed(f"{source} reads more than texts ({found} in config.json), and the sidecar only those")


def _require_hub_name(source: str, path: Path) -> None:
    if path.is_file():
        raise ExportFailed(f"{source} {GGUF if path.suffix == '.gguf' else 'is a file: name the folder it is in'}")
    if not source or source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise ExportFailed(f"{source or 'an empty name'} is no folder")
    try:
        cached_file(source, "config.json")
    except OSError as error:
        if isinstance(error.__cause__, LocalEntryNotFoundError):
            raise ExportFailed(
                f"{source} is no folder here, and the hub cannot be reached; download it where it can, and name the "
                "folder"
            ) from error
        if "config.json" not in str(error):  # it may be in a folder of its own
            raise ExportFailed(f"{source} cannot be read from the hub: {first_line(error)}") from error
