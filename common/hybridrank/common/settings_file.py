"""Settings that users write as YAML or JSON, and their check against a pydantic model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hybridrank.common import json_values
from hybridrank.common.error_text import wrong_values
from hybridrank.common.errors import BadFile
from hybridrank.common.user_file import UserFile

__all__ = ["read_settings", "validated"]

_MAX_BYTES = 16 << 20
Model = TypeVar("Model", bound=BaseModel)


def read_settings(path: Path, error: Callable[[str], Exception] = BadFile, *, extra: str = "ltr") -> Any:
    """Returns the content of a .json file, or of any other file as YAML; None if it is empty. Raises `error`.

    Numbers that are not finite are refused with the path of the setting. `extra` is the extra that installs the YAML
    reader.
    """
    text = UserFile(path, error, max_file_bytes=_MAX_BYTES).text()
    try:
        return json_values.parse(text) if path.suffix == ".json" else _yaml(text, extra)
    except ValueError as problem:
        raise error(f"{path}: {problem}") from None


def validated(model: type[Model], content: Any, where: object, error: Callable[[str], Exception]) -> Model:
    """Returns `content` as a `model`. Raises `error` with `where`, and each wrong field with the reason."""
    try:
        return model.model_validate(content)
    except ValidationError as problem:
        raise error(f"{where}: {wrong_values(problem.errors())}") from problem


def _yaml(text: str, extra: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ValueError(f"YAML needs pyyaml: pip install 'hybridrank[{extra}]'; or write JSON") from error
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from None
    except RecursionError:
        raise ValueError("not YAML: nested too deeply") from None
    if found := json_values.problem(value):
        raise ValueError(found)
    return value
